//! The project's rules about table design: `allow`, `warn` or `deny`.
//!
//! In: `rules:` of pipe.yaml and the contracts of loaded tables. Out: diagnostics. A contract lifts a rule with `allow: [rule]`.

use std::collections::BTreeMap;

use super::{Inputs, TablePlan};
use crate::contract::{Column, Contract, Generated};
use crate::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::types::DataType;

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Allow,
    Warn,
    Deny,
}

/// Every rule with its level where the project does not say.
const RULES: &[(&str, Level)] = &[
    ("json_columns", Level::Deny),
    ("array_columns", Level::Warn),
    ("undeclared_defaults", Level::Warn),
    ("numbered_columns", Level::Warn),
];

/// Judges the contracts of all loaded tables.
pub fn apply(inputs: &Inputs, tables: &[TablePlan], out: &mut Diagnostics) {
    let levels = levels(inputs, out);
    let mut seen: Vec<(Option<String>, String)> = vec![];
    for load in tables.iter().flat_map(|t| &t.loads) {
        let Some(contract) = &load.contract else { continue };
        let table = (contract.schema.clone(), contract.table.clone());
        if seen.contains(&table) {
            continue;
        }
        seen.push(table);
        let mut judge = Judge { levels: &levels, contract, load: load.span, out };
        judge.types();
        judge.numbers();
    }
}

struct Judge<'a> {
    levels: &'a BTreeMap<&'static str, Level>,
    contract: &'a Contract,
    load: Span,
    out: &'a mut Diagnostics,
}

impl Judge<'_> {
    fn types(&mut self) {
        for column in &self.contract.columns {
            let table = &self.contract.table;
            match &column.data_type {
                DataType::Json { .. } => {
                    let message = format!("column `{}` of `{table}` holds JSON", column.name);
                    let help =
                        "Give its fields columns or a table of their own, or allow it in the contract: `allow: [json_columns]`.";
                    self.report("json_columns", ("E0530", "W0530"), column.span, message).map(|d| d.help(help));
                }
                DataType::List(element) if !element.is_text() => {
                    let message = format!("column `{}` of `{table}` is an array of {element}", column.name);
                    let help =
                        "A child table can be joined and constrained; else allow it in the contract: `allow: [array_columns]`.";
                    self.report("array_columns", ("E0531", "W0531"), column.span, message).map(|d| d.help(help));
                }
                _ => {}
            }
        }
    }

    /// Finds names that end in consecutive numbers: `pain_point_1`, `pain_point_2`.
    fn numbers(&mut self) {
        let mut groups: BTreeMap<&str, Vec<&Column>> = BTreeMap::new();
        for column in self.contract.columns.iter().filter(|c| c.generated == Generated::No) {
            let stem = column.name.trim_end_matches(|c: char| c.is_ascii_digit());
            if stem.len() < column.name.len() && stem.ends_with('_') {
                groups.entry(stem).or_default().push(column);
            }
        }
        for (stem, columns) in groups.into_iter().filter(|(_, c)| c.len() > 1) {
            let names: Vec<String> = columns.iter().map(|c| format!("`{}`", c.name)).collect();
            let message =
                format!("columns {} of `{}` are one list in {} columns", names.join(", "), self.contract.table, columns.len());
            let help = format!("Make a child table with one row per `{}`.", stem.trim_end_matches('_'));
            let span = columns[0].span;
            self.report("numbered_columns", ("E0532", "W0532"), span, message).map(|d| d.help(help));
        }
    }

    fn report(
        &mut self,
        rule: &str,
        codes: (&'static str, &'static str),
        span: Span,
        message: String,
    ) -> Option<&mut Diagnostic> {
        if self.contract.allow.iter().any(|a| a == rule) {
            return None;
        }
        let load = self.load;
        match self.levels.get(rule)? {
            Level::Allow => None,
            Level::Warn => Some(self.out.warning(codes.1, span, message).label(load, "loaded here")),
            Level::Deny => Some(self.out.error(codes.0, span, message).label(load, "loaded here")),
        }
    }
}

fn levels(inputs: &Inputs, out: &mut Diagnostics) -> BTreeMap<&'static str, Level> {
    let mut levels: BTreeMap<&'static str, Level> = RULES.iter().copied().collect();
    for (rule, level) in &inputs.project.rules {
        let Some((name, _)) = RULES.iter().find(|(name, _)| *name == rule.value) else {
            let known = RULES.iter().map(|(name, _)| *name);
            out.error("E0213", rule.span, format!("there is no rule `{}`", rule.value)).suggest(&rule.value, known);
            continue;
        };
        let level = match level.value.as_str() {
            "allow" => Level::Allow,
            "warn" => Level::Warn,
            "deny" => Level::Deny,
            other => {
                out.error("E0206", level.span, format!("a rule's level is allow, warn or deny, not `{other}`"))
                    .suggest(other, ["allow", "warn", "deny"]);
                continue;
            }
        };
        levels.insert(name, level);
    }
    levels
}
