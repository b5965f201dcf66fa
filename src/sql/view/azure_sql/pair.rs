//! Expressions of an upsert in T-SQL, over the row that is there (`t.`) and the one that comes (`s.`).
//!
//! In: an expression whose names are `t.<column>` and `s.<column>`, and the types of the target's columns, which both rows have. Out: SQL
//! that gives the engine's value, or the part that T-SQL cannot say. Texts are compared by their characters, as in a view.
//! Does not know how rows are merged.

use super::super::dialect::Dialect;
use super::super::expression::{Names, Writer, family};
use super::AzureSql;
use crate::diagnostics::Span;
use crate::expr::parse::is_aggregate;
use crate::expr::{Expr, ExprKind, Literal};
use crate::sql::{Binding, Unsupported};
use crate::types::DataType;

const DIALECT: &dyn Dialect = &AzureSql;

/// The columns that both rows have, and their types.
pub struct Pair<'a> {
    pub columns: &'a [(String, DataType)],
}

impl Pair<'_> {
    /// Writes an expression as a condition that AND may follow.
    pub fn condition(&self, expr: &Expr) -> Result<String, Unsupported> {
        let mut names = Names::new();
        let expr = self.named(expr, &mut names)?;
        Ok(Writer::new(DIALECT, &names).condition(&expr)?.within(Binding::Not))
    }

    /// Writes the value that a column of the target is to have.
    pub fn value(&self, column: &str, expr: &Expr) -> Result<String, Unsupported> {
        let span = expr.span;
        let wanted = self.kind(column, span)?;
        match &expr.kind {
            ExprKind::Literal(Literal::Null) => return Ok("NULL".to_string()),
            // Nothing else takes its type from the column that it goes to.
            ExprKind::Call(call)
                if call.arguments.is_empty() && matches!(call.function.as_str(), "now" | "current_timestamp") =>
            {
                return match wanted {
                    DataType::TimestampTz(_) => Ok("SYSDATETIMEOFFSET()".to_string()),
                    DataType::Timestamp(_) => Ok("SYSUTCDATETIME()".to_string()),
                    other => Err(Unsupported::new(format!("the present time as {other}"), span)),
                };
            }
            ExprKind::Name(parts) => {
                if let [side, name] = parts.as_slice()
                    && self.kind(name, span)? == wanted
                {
                    return Ok(format!("{side}.{}", DIALECT.quote(name, span)?));
                }
            }
            _ => {}
        }
        let mut names = Names::new();
        let expr = self.named(expr, &mut names)?;
        let writer = Writer::new(DIALECT, &names);
        let said = writer.write(&expr)?;
        if !fits(&said.kind, wanted) {
            return Err(Unsupported::new(format!("{} as the value of `{column}`, which is {wanted},", said.kind), span));
        }
        Ok(writer.as_value(said)?.sql)
    }

    fn kind(&self, column: &str, span: Span) -> Result<&DataType, Unsupported> {
        let found = self.columns.iter().find(|(name, _)| name == column).map(|(_, kind)| kind);
        found.ok_or_else(|| Unsupported::new(format!("the column `{column}`, whose type no contract tells,"), span))
    }

    /// Makes columns of an expression's names, and says how each is written.
    fn named(&self, expr: &Expr, names: &mut Names) -> Result<Expr, Unsupported> {
        let mut expr = expr.clone();
        self.name(&mut expr, names)?;
        Ok(expr)
    }

    fn name(&self, expr: &mut Expr, names: &mut Names) -> Result<(), Unsupported> {
        let (span, dialect) = (expr.span, DIALECT);
        match &expr.kind {
            ExprKind::Call(call) if is_aggregate(&call.function) => {
                return Err(Unsupported::new(format!("the aggregate `{}`", call.function), span));
            }
            ExprKind::Name(parts) => {
                if let [side, name] = parts.as_slice() {
                    let kind = self.kind(name, span)?;
                    let plain = format!("{side}.{}", dialect.quote(name, span)?);
                    // In the type that the value is computed in, as the stages of a view have it; other types only pass.
                    let sql = match dialect.type_name(kind, span) {
                        Ok(wanted) if kind.is_text() => format!("({})", dialect.collate(&format!("CAST({plain} AS {wanted})"))),
                        Ok(wanted) => format!("CAST({plain} AS {wanted})"),
                        Err(_) => plain,
                    };
                    let column = format!("{side}.{name}");
                    names.insert(column.clone(), (sql, kind.clone()));
                    *expr = Expr::column(&column, span);
                }
            }
            _ => {}
        }
        expr.children_mut().into_iter().try_for_each(|child| self.name(child, names))
    }
}

/// Whether a column keeps such a value as it is, or rounds it as every database does.
fn fits(kind: &DataType, wanted: &DataType) -> bool {
    use DataType as T;
    match (kind, wanted) {
        (a, b) if a == b => true,
        // T-SQL cuts where others round.
        (a, b) if b.is_integer() => a.is_integer() || matches!(a, T::Decimal(Some((_, 0)))),
        (a, b) if a.is_number() && b.is_number() => true,
        (T::Date, T::Timestamp(_)) => true,
        (a, b) => family(a).is_some() && family(a) == family(b),
    }
}
