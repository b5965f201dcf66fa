//! `pipe schema diff`: where contracts and the database differ.
//!
//! In: contracts. Out: each difference with its place. [`outdated`] answers the same for whoever is about to deploy.

use std::sync::Arc;

use super::schema::{Finished, Scene, Wanted, read_back};
use super::{Failure, Options};
use crate::catalog::diff::{Comparison, compare};
use crate::catalog::{self, TableName};
use crate::contract::Contract;
use crate::database::Connection;
use crate::error::Error;

/// Compares contracts with the database that is their target.
pub fn diff(wanted: &Wanted, options: &Options) -> Result<Finished<Comparison>, Failure> {
    let mut scene = Scene::load(wanted, options)?;
    let chosen = scene.chosen(wanted)?;
    let named: Vec<(TableName, Arc<Contract>)> = chosen.into_iter().map(|c| (scene.name_of(&c), c)).collect();
    let result = outdated(&mut *scene.connect()?, &named)?;
    Ok(Finished { result, sources: scene.sources, warnings: scene.out.into_sorted() })
}

/// Tells where contracts no longer say what the database does; a deploy that finds differences must not begin.
pub fn outdated(connection: &mut dyn Connection, contracts: &[(TableName, Arc<Contract>)]) -> Result<Comparison, Error> {
    let names: Vec<TableName> = contracts.iter().map(|(name, _)| name.clone()).collect();
    let there = catalog::existing(connection, &names)?;
    let live = read_back(&catalog::import(connection, &there)?);
    let found = |name: &TableName| {
        let at = there.iter().position(|t| t == name)?;
        live.get(at)?.contract.as_ref()
    };
    let pairs: Vec<(&Contract, Option<&Contract>)> = contracts.iter().map(|(name, c)| (&**c, found(name))).collect();
    Ok(compare(&pairs))
}
