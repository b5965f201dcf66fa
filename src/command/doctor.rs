//! Looks, step by step, at whether targets can be used.
//!
//! In: a project's targets. Out: what each step found. Does not print.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Failure;
use super::access::{self, Access};
use crate::database::Options;
use crate::database::probe::{self, Step};
use crate::diagnostics::{Diagnostics, SourceMap};
use crate::error::Error;
use crate::spec::Project;

/// What was found about one target.
pub struct Examined {
    pub target: String,
    pub steps: Vec<Step>,
}

/// Examines the target that is named, or every target of the project that has an address.
pub fn doctor(access: &Access, stopped: &Arc<AtomicBool>) -> Result<Vec<Examined>, Failure> {
    let (mut sources, mut out) = (SourceMap::default(), Diagnostics::default());
    let project = Project::load(&mut sources, Path::new(crate::spec::project::FILE), &mut out)?;
    if out.has_errors() {
        return Err(Failure::of(sources, out));
    }
    let targets = match &access.target {
        Some(name) => vec![access::named_target(&project, name)?],
        None => project.targets.iter().filter(|t| t.url.is_some()).cloned().collect(),
    };
    if targets.is_empty() {
        let error = Error::new("X0501", "there is no target with an address in `pipe.yaml`");
        return Err(error.help("Write `targets: {NAME: {dialect: postgres, url: \"{{ env.DATABASE_URL }}\"}}`.").into());
    }
    let mut examined = vec![];
    for target in targets {
        let options = Options { stopped: stopped.clone(), ..Options::default() };
        let steps = match access::address(&target, &project, "", access, &mut sources) {
            Ok(address) => {
                let mut steps = vec![Step { name: "address", found: Ok(address.place()) }];
                steps.extend(probe::steps(&target.dialect.value, &address, target.schema.as_deref(), &options));
                steps
            }
            Err(Failure::World(error)) => vec![Step { name: "address", found: Err(error) }],
            Err(spec) => return Err(spec),
        };
        examined.push(Examined { target: target.name.value, steps });
    }
    Ok(examined)
}
