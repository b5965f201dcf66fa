//! `pipe schema ddl`: the script that makes what contracts describe. Does not ask any database.

use super::schema::{Finished, Scene, Wanted};
use super::{Failure, Options};
use crate::contract::Contract;
use crate::emit::{self, definition::Extras};
use crate::error::Error;

/// Writes the script for the contracts that are asked for.
pub fn script(wanted: &Wanted, options: &Options, extras: Extras) -> Result<Finished<String>, Failure> {
    let scene = Scene::load(wanted, options)?;
    let name = scene.dialect.name();
    let dialect =
        emit::find(name).ok_or_else(|| Error::new("X0502", format!("there is no DDL for targets of dialect `{name}`")))?;
    let chosen = scene.chosen(wanted)?;
    let contracts: Vec<&Contract> = chosen.iter().map(|c| &**c).collect();
    let made = dialect.definitions(&contracts, scene.schema(), extras);
    if !made.refused.is_empty() {
        let error = Error::new("X0609", format!("the target cannot have what contracts ask for: {}", made.refused.join("; ")));
        return Err(error.help("Give each of these a form that it has: `pipe explain X0609` lists them.").into());
    }
    let result = made.script;
    Ok(Finished { result, sources: scene.sources, warnings: scene.out.into_sorted() })
}
