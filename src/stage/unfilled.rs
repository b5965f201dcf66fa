//! Constraints on columns that the load does not write: the target fills these, so its default decides.
//!
//! In: a constraint of a contract and the names that are filled. Out: its [`Fate`]. Does not know about expressions of authors or the engine.

use crate::check::{Declared, Measure};
use crate::contract::{Contract, Generated};
use crate::diagnostics::Span;
use crate::expr::{Expr, ExprKind, Literal};

/// What becomes of a constraint.
#[derive(Debug)]
pub enum Fate {
    /// All its columns are filled.
    Judged(Box<Measure>),
    /// No row of the load can break it.
    Harmless,
    /// Only the target knows.
    Unjudged,
}

/// The defaults that give each row a value of its own.
const FRESH: &[&str] = &["nextval(", "gen_random_uuid(", "uuid_generate_v", "newid(", "newsequentialid("];

/// Tells what becomes of a constraint where the columns of which `filled` is false are left to the target.
pub fn fate(declared: &Declared, contract: &Contract, filled: &dyn Fn(&str) -> bool) -> Fate {
    let columns = declared.check.columns();
    let left: Vec<&String> = columns.iter().filter(|c| !filled(c)).collect();
    if left.is_empty() || !declared.enforced {
        return Fate::Judged(Box::new(declared.check.measure()));
    }
    let values: Vec<Option<Literal>> = left.iter().map(|c| value(contract, c)).collect();
    match declared.check.measure() {
        Measure::Row(mut condition) => {
            for (column, value) in left.into_iter().zip(values) {
                let Some(value) = value else { return Fate::Unjudged };
                let value = Expr::new(ExprKind::Literal(value), condition.span);
                condition.put(column, &value);
            }
            Fate::Judged(Box::new(Measure::Row(condition)))
        }
        Measure::Unique(key) => {
            let null = values.contains(&Some(Literal::Null)) && !key.nulls_equal;
            let plain = key.parts.len() == columns.len() || key.only_where.is_some();
            if (null && plain) || left.iter().any(|c| fresh(contract, c)) { Fate::Harmless } else { Fate::Unjudged }
        }
        Measure::References { .. } if values.contains(&Some(Literal::Null)) => Fate::Harmless,
        Measure::References { .. } => Fate::Unjudged,
        Measure::Count(_) | Measure::Total { .. } | Measure::Fresh { .. } | Measure::Agreement(_) => Fate::Harmless,
    }
}

/// The value that the target gives a column that is not written, if it is a constant.
fn value(contract: &Contract, name: &str) -> Option<Literal> {
    let column = contract.column(name)?;
    if column.generated != Generated::No {
        return None;
    }
    let Some(default) = &column.default else { return Some(Literal::Null) };
    let mut text = default.trim();
    // A dump writes the type behind a text.
    if let Some((constant, cast)) = text.rsplit_once("::")
        && !cast.contains('\'')
    {
        text = constant.trim();
    }
    if let Some(quoted) = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
        let plain = quoted.replace("''", "");
        return (!plain.contains('\'')).then(|| Literal::Text(quoted.replace("''", "'")));
    }
    match text.to_lowercase().as_str() {
        "null" => Some(Literal::Null),
        "true" => Some(Literal::Boolean(true)),
        "false" => Some(Literal::Boolean(false)),
        number if number.parse::<f64>().is_ok_and(f64::is_finite) => Some(Literal::Number(number.to_string())),
        _ => None,
    }
}

fn fresh(contract: &Contract, name: &str) -> bool {
    contract.column(name).is_some_and(|c| {
        let default = c.default.as_deref().unwrap_or_default().to_lowercase();
        matches!(c.generated, Generated::ByDefault | Generated::Always) || FRESH.iter().any(|f| default.contains(f))
    })
}

/// Lists the constraints of a contract that only the target can judge because it fills their columns.
pub fn unjudged(contract: &Contract, filled: &dyn Fn(&str) -> bool) -> Vec<(String, Span)> {
    let open = contract.checks.iter().filter(|d| matches!(fate(d, contract, filled), Fate::Unjudged));
    let title = |d: &Declared| {
        let name = d.name.as_deref().map(|n| format!("CONSTRAINT {n} ")).unwrap_or_default();
        let left: Vec<String> = d.check.columns().into_iter().filter(|c| !filled(c)).collect();
        (
            format!("{name}{} {}: {} is filled by the target", d.check.rule(), d.check.columns().join(", "), left.join(", ")),
            d.span,
        )
    };
    open.map(title).collect()
}
