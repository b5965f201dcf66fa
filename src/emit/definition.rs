//! What the scripts of `pipe schema ddl` have in common: the constraints of a table, in the target's words.
//!
//! In: a contract. Out: its constraints as its schema file has them, or made of what the contract says where it was written in YAML. What
//! the target cannot say is told, never left out in silence.
//! Does not know how tables, types and indexes are made.

use crate::check::Measure;
use crate::contract::{ConstraintKind, Contract, ForeignKey, WrittenConstraint, usual_name};
use crate::expr::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::sql::Unsupported;

/// What is made besides tables, indexes and foreign keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras {
    /// A trigger that sets the column `updated_at` at every change.
    pub updated_at: bool,
    /// The privileges that contracts name.
    pub grants: bool,
}

/// A script, and what it cannot make of what contracts ask for.
pub struct Definitions {
    pub script: String,
    pub refused: Vec<String>,
}

/// How a database makes what contracts describe.
pub trait Define {
    /// Writes the script that makes what is missing and leaves what is there; `schema` is where tables go that name none.
    fn definitions(&self, contracts: &[&Contract], schema: &str, extras: Extras) -> Definitions;

    /// Lists columns, quoted.
    fn names(&self, columns: &[String]) -> String;

    /// The words of a unique key, before its columns.
    fn unique(&self, nulls_equal: bool) -> &'static str;

    /// Writes what every row must hold to.
    fn condition(&self, contract: &Contract, holds: &Expr) -> Result<String, Unsupported>;

    fn foreign_key(&self, key: &ForeignKey, contract: &Contract, schema: &str) -> String;
}

/// Returns a table's constraints: as its schema file has them, or made of what the contract says.
pub(super) fn constraints(
    dialect: &dyn Define,
    contract: &Contract,
    schema: &str,
    not_made: &mut Vec<String>,
) -> Vec<WrittenConstraint> {
    if !contract.written.constraints.is_empty() || !contract.written.columns.is_empty() {
        return contract.written.constraints.clone();
    }
    let mut found: Vec<WrittenConstraint> = vec![];
    let mut add = |name: Option<String>, columns: &[String], label: &str, kind, text| {
        let name = name.unwrap_or_else(|| usual_name(&contract.table, columns, label));
        found.push(WrittenConstraint { name: Some(free(&name, &found)), kind, columns: columns.to_vec(), text });
    };
    if !contract.primary_key.is_empty() {
        let text = format!("PRIMARY KEY ({})", dialect.names(&contract.primary_key));
        add(None, &[], "pkey", ConstraintKind::PrimaryKey, text);
    }
    for declared in contract.checks.iter().filter(|c| c.enforced) {
        let columns = declared.check.columns();
        match declared.check.measure() {
            Measure::Unique(key) if columns != contract.primary_key && key.only_where.is_none() => {
                let text = format!("{} ({})", dialect.unique(key.nulls_equal), dialect.names(&columns));
                add(declared.name.clone(), &columns, "key", ConstraintKind::Other, text);
            }
            Measure::Row(fails) => {
                let about = if columns.len() == 1 { columns.clone() } else { vec![] };
                match dialect.condition(contract, &holds(fails)) {
                    Ok(holds) => add(declared.name.clone(), &about, "check", ConstraintKind::Other, format!("CHECK ({holds})")),
                    Err(unsupported) => {
                        not_made.push(format!("{} {}: {}", columns.join(", "), declared.check.allowed(), unsupported.what));
                    }
                }
            }
            _ => {}
        }
    }
    for key in &contract.foreign_keys {
        let text = dialect.foreign_key(key, contract, schema);
        add(key.name.clone(), &key.columns, "fkey", ConstraintKind::Foreign, text);
    }
    found
}

/// Numbers a name that is taken: two rules about one column want two names.
pub(super) fn free(name: &str, taken: &[WrittenConstraint]) -> String {
    let is_taken = |name: &str| taken.iter().any(|c| c.name.as_deref() == Some(name));
    let mut chosen = name.to_string();
    let mut n = 0;
    while is_taken(&chosen) {
        n += 1;
        chosen = format!("{name}{n}");
    }
    chosen
}

/// Turns what must not be into what must be, in words that read back as the same rule; NULL stays NULL in both.
fn holds(fails: Expr) -> Expr {
    let span = fails.span;
    match fails.kind {
        ExprKind::InList { operand, list, negated } => Expr::new(ExprKind::InList { operand, list, negated: !negated }, span),
        ExprKind::Unary(UnaryOp::Not, inner) => *inner,
        ExprKind::Binary(left, BinaryOp::Or, right) => holds(*left).and(holds(*right)),
        ExprKind::Binary(left, BinaryOp::Less, right) => left.binary(BinaryOp::GreaterOrEqual, *right),
        ExprKind::Binary(left, BinaryOp::LessOrEqual, right) => left.binary(BinaryOp::Greater, *right),
        ExprKind::Binary(left, BinaryOp::Greater, right) => left.binary(BinaryOp::LessOrEqual, *right),
        ExprKind::Binary(left, BinaryOp::GreaterOrEqual, right) => left.binary(BinaryOp::Less, *right),
        kind => Expr::new(kind, span).negate(),
    }
}
