//! `pipe schema diff`: where contracts and the database differ.
//!
//! In: contracts. Out: each difference with its place. [`outdated`] answers the same for whoever is about to deploy.

use std::sync::Arc;

use super::schema::{Finished, Scene, Wanted, read_back};
use super::{Failure, Options};
use crate::catalog::diff::{Comparison, Difference};
use crate::catalog::{self, Frame, TableName};
use crate::contract::Contract;
use crate::database::Connection;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::error::Error;
use crate::plan::Plan;

/// Compares contracts with the database that is their target.
pub fn diff(wanted: &Wanted, options: &Options) -> Result<Finished<Comparison>, Failure> {
    let mut scene = Scene::load(wanted, options)?;
    let chosen = scene.chosen(wanted)?;
    let named: Vec<(TableName, Arc<Contract>)> = chosen.into_iter().map(|c| (scene.name_of(&c), c)).collect();
    let result = outdated(&mut *scene.connect()?, scene.dialect.name(), &named, Frame::Own)?;
    Ok(Finished { result, sources: scene.sources, warnings: scene.out.into_sorted() })
}

/// Names the contracts of a plan's loads by the tables that they are about.
pub(super) fn loaded(plan: &Plan) -> Vec<(TableName, Arc<Contract>)> {
    let schema = plan.target.schema.as_deref().unwrap_or(plan.dialect.usual_schema());
    let mut contracts: Vec<(TableName, Arc<Contract>)> = vec![];
    for load in plan.tables.iter().flat_map(|t| &t.loads) {
        let Some(contract) = &load.contract else { continue };
        let of = load.schema.as_deref().or(contract.schema.as_deref()).unwrap_or(schema);
        let name = TableName { schema: of.to_string(), table: load.table.clone() };
        if !contracts.iter().any(|(known, _)| *known == name) {
            contracts.push((name, contract.clone()));
        }
    }
    contracts
}

/// Says what a difference is about and what either side has.
pub(super) fn told(d: &Difference) -> String {
    let name = d.column.as_ref().map_or(d.table.clone(), |c| format!("{}.{c}", d.table));
    let side = |s: &Option<String>| s.clone().unwrap_or_else(|| "nothing".to_string());
    format!("{} of `{name}` is {} here and {} in the database", d.kind.replace('_', " "), side(&d.contract), side(&d.database))
}

/// Warns of each contract of a plan that is out of date.
pub fn warnings(plan: &Plan, connection: &mut dyn Connection) -> Result<Vec<Diagnostic>, Error> {
    let contracts = loaded(plan);
    let found = match (outdated(connection, plan.dialect.name(), &contracts, Frame::Own), contracts.first()) {
        (Err(error), Some((_, first))) if error.code == "X0509" => {
            let mut unseen = Diagnostics::default();
            let told = unseen.warning("X0509", first.span, format!("the contracts were not compared: {}", error.message));
            error.help.iter().fold(told, |told, help| told.help(help));
            return Ok(unseen.into_sorted());
        }
        (answered, _) => answered?,
    };
    let warning = |d: &Difference| {
        let mut warning = Diagnostics::default();
        warning
            .warning("X0606", d.span, format!("the contract is out of date: {}", told(d)))
            .help("Import it again with `pipe schema import`, or change the database; `pipe schema diff` lists all differences.");
        warning.into_sorted()
    };
    Ok(found.differences.iter().flat_map(warning).collect())
}

/// Tells where contracts no longer say what the database does.
pub fn outdated(
    connection: &mut dyn Connection,
    dialect: &str,
    contracts: &[(TableName, Arc<Contract>)],
    frame: Frame,
) -> Result<Comparison, Error> {
    let catalog = catalog::find(dialect)?;
    let names: Vec<TableName> = contracts.iter().map(|(name, _)| name.clone()).collect();
    let there = catalog.existing(connection, &names, frame)?;
    let live = read_back(&catalog.import(connection, &there, frame)?, catalog.flavor());
    let found = |name: &TableName| {
        let at = there.iter().position(|t| t == name)?;
        live.get(at)?.contract.as_ref()
    };
    let pairs: Vec<(&Contract, Option<&Contract>)> = contracts.iter().map(|(name, c)| (&**c, found(name))).collect();
    Ok(catalog.compare(&pairs))
}
