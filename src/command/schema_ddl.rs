//! `pipe schema ddl`: the script that makes what contracts describe. Does not ask any database.

use super::schema::{Finished, Scene, Wanted};
use super::{Failure, Options};
use crate::contract::Contract;
use crate::emit::postgres::schema::{Extras, ddl};
use crate::error::Error;

/// Writes the script for the contracts that are asked for.
pub fn script(wanted: &Wanted, options: &Options, extras: Extras) -> Result<Finished<String>, Failure> {
    let scene = Scene::load(wanted, options)?;
    if scene.dialect.name() != "postgres" {
        let error = Error::new("X0502", format!("there is no DDL for targets of dialect `{}` yet", scene.dialect.name()));
        return Err(error.help("Only PostgreSQL's can be written.").into());
    }
    let chosen = scene.chosen(wanted)?;
    let contracts: Vec<&Contract> = chosen.iter().map(|c| &**c).collect();
    let result = ddl(&contracts, scene.schema(), extras);
    Ok(Finished { result, sources: scene.sources, warnings: scene.out.into_sorted() })
}
