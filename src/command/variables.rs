//! Variables, and the templates that read them and the environment: the same for every command.
//!
//! In: the `vars` that are declared, and what `--var` gives. Out: their values, and [`Templates`] that know them. Each value of the environment
//! that is asked for is noted as a secret. Does not know what is rendered.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Secrets;
use crate::diagnostics::{Diagnostics, Span, Spanned};
use crate::error::Error;
use crate::spec::template::{Names, Templates};
use crate::spec::yaml::{Map, Node, Value};

/// Where variables come from.
pub struct Variables<'a> {
    /// The project's before the pipeline's: a later one counts.
    pub declared: &'a [&'a Map],
    /// `name=value`, before all that is declared.
    pub given: &'a [String],
    /// Where messages point that are about given ones.
    pub place: Span,
    pub secrets: &'a Secrets,
}

impl Variables<'_> {
    /// Gathers the values as they are written.
    pub fn values(&self) -> Result<BTreeMap<String, Node>, Error> {
        let declared = self.declared.iter().flat_map(|map| &map.entries);
        let mut values: BTreeMap<String, Node> = declared.map(|(name, node)| (name.value.clone(), node.clone())).collect();
        for given in self.given {
            let Some((name, value)) = given.split_once('=') else {
                let error = Error::new("X0106", format!("`--var {given}` has no value"));
                return Err(error.help("Write `--var name=value`."));
            };
            let value = Value::Text { text: value.to_string(), plain: false };
            values.insert(name.trim().to_string(), Node { value, span: self.place });
        }
        Ok(values)
    }

    /// Makes templates that know the values, once those which are templates themselves are rendered.
    pub fn templates(&self, pipeline: &str, target: &str, out: &mut Diagnostics) -> Result<Templates, Error> {
        let nodes = self.values()?;
        let names = |vars: BTreeMap<String, serde_json::Value>| {
            let secrets = self.secrets.clone();
            Names {
                vars,
                env: Arc::new(move |name| std::env::var(name).ok().inspect(|value| secrets.keep(value))),
                pipeline: Some(pipeline.to_string()),
                target: Some(target.to_string()),
            }
        };
        let mut values: BTreeMap<String, serde_json::Value> =
            nodes.iter().map(|(name, node)| (name.clone(), node.to_json())).collect();
        let plain = Templates::new(names(values.clone()));
        // What the command line gives is data, never a template.
        let given: Vec<&str> = self.given.iter().filter_map(|v| v.split_once('=')).map(|(name, _)| name.trim()).collect();
        for (name, node) in nodes.iter().filter(|(name, _)| !given.contains(&name.as_str())) {
            if let Value::Text { text, .. } = &node.value
                && (text.contains("{{") || text.contains("{%"))
                && let Some(rendered) = plain.bare(&Spanned::new(text.clone(), node.span), out)
            {
                values.insert(name.clone(), rendered.into());
            }
        }
        Ok(Templates::new(names(values)))
    }
}
