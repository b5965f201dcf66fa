//! The engine's own dialect: everything the tree can hold, it can say.
//!
//! In: printed parts. Out: DuckDB 2 SQL, with all names quoted, so that no name can be a keyword.
//! Does not know about relations, or about the crate that runs it.

use super::print::{infix, like, membership, standard, text};
use super::{Binding, Dialect, Printed, PrintedCall, PrintedLike, Unsupported};
use crate::diagnostics::Span;
use crate::expr::{BinaryOp, Expr, ExprKind, Literal};
use crate::types::DataType;

/// DuckDB.
pub struct DuckDb;

/// Functions that are written without parentheses.
const BARE: &[&str] =
    &["current_date", "current_role", "current_time", "current_timestamp", "current_user", "localtime", "localtimestamp"];

/// From how many values on the engine joins with a list.
const JOINED: usize = 5;

/// Up to how many values comparing them one by one costs no more than a join.
const LONGEST_CASE: usize = 20;

impl Dialect for DuckDb {
    fn name(&self) -> &'static str {
        "duckdb"
    }

    fn quote(&self, identifier: &str) -> String {
        quote(identifier)
    }

    fn type_name(&self, data_type: &DataType, _span: Span) -> Result<String, Unsupported> {
        Ok(type_name(data_type))
    }

    fn literal(&self, literal: &Literal, _span: Span) -> Result<Printed, Unsupported> {
        Ok(match literal {
            Literal::Null => Printed::atom("NULL"),
            Literal::Boolean(true) => Printed::atom("TRUE"),
            Literal::Boolean(false) => Printed::atom("FALSE"),
            Literal::Number(digits) if digits.starts_with(['-', '+']) => Printed::new(digits.clone(), Binding::Sign),
            Literal::Number(digits) => Printed::atom(digits.clone()),
            // A statement's text cannot hold the character U+0000.
            Literal::Text(value) if value.contains('\0') => {
                let parts: Vec<String> = value.split('\0').map(text).collect();
                Printed::atom(format!("({})", parts.join(" || chr(0) || ")))
            }
            Literal::Text(value) => Printed::atom(text(value)),
            Literal::Typed(kind, value) => match kind {
                DataType::Date
                | DataType::Time
                | DataType::Timestamp(_)
                | DataType::TimestampTz(_)
                | DataType::Interval
                | DataType::Uuid => Printed::atom(format!("{} {}", type_name(kind), text(value))),
                _ => Printed::atom(format!("CAST({} AS {})", text(value), type_name(kind))),
            },
        })
    }

    fn call(&self, call: &PrintedCall) -> Result<Printed, Unsupported> {
        let function = call.call.function.as_str();
        if call.arguments.is_empty() && BARE.contains(&function) {
            return Ok(Printed::atom(function));
        }
        let plain = function.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && function.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        Ok(if plain { call.named(function) } else { call.named(&self.quote(function)) })
    }

    fn binary(&self, _tree: &Expr, left: &Printed, op: BinaryOp, right: &Printed) -> Result<Printed, Unsupported> {
        let (symbol, binding) = standard(op);
        Ok(infix(symbol, binding, left, right))
    }

    fn cast(&self, operand: &Printed, to: &DataType, attempt: bool, _span: Span) -> Result<Printed, Unsupported> {
        let word = if attempt { "TRY_CAST" } else { "CAST" };
        Ok(Printed::atom(format!("{word}({} AS {})", operand.sql, type_name(to))))
    }

    fn like(&self, printed: PrintedLike, _span: Span) -> Result<Printed, Unsupported> {
        Ok(like(&printed))
    }

    /// The engine makes a join of a longer list, and of one that is put together by AND: whoever reads other columns of a view pays for that
    /// as well. The last branch leaves NULL what is NULL.
    fn membership(&self, tree: &Expr, operand: &Printed, items: &[Printed], negated: bool) -> Printed {
        let text = |e: &Expr| matches!(e.kind, ExprKind::Literal(Literal::Text(_)));
        let plain = matches!(&tree.kind, ExprKind::InList { operand, list, .. }
            if matches!(operand.kind, ExprKind::Column(_)) && list.iter().all(text));
        if !plain || !(JOINED..=LONGEST_CASE).contains(&items.len()) {
            return membership(operand, items, negated);
        }
        let (among, other) = if negated { ("FALSE", "TRUE") } else { ("TRUE", "FALSE") };
        let branches: String = items.iter().map(|item| format!(" WHEN {} THEN {among}", item.sql)).collect();
        let operand = &operand.sql;
        Printed::atom(format!("CASE {operand}{branches} WHEN {operand} THEN {other} END"))
    }

    fn list(&self, items: &[Printed], _span: Span) -> Result<Printed, Unsupported> {
        let items: Vec<&str> = items.iter().map(|i| i.sql.as_str()).collect();
        Ok(Printed::atom(format!("[{}]", items.join(", "))))
    }

    fn subscript(&self, list: &Printed, index: &Printed, _span: Span) -> Result<Printed, Unsupported> {
        Ok(Printed::new(format!("{}[{}]", list.within(Binding::Postfix), index.within(Binding::Sum)), Binding::Postfix))
    }

    fn structure(&self, fields: &[(String, Printed)], _span: Span) -> Result<Printed, Unsupported> {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{}: {}", text(name), value.sql)).collect();
        Ok(Printed::atom(format!("{{{}}}", fields.join(", "))))
    }

    fn field(&self, operand: &Printed, field: &str, _span: Span) -> Result<Printed, Unsupported> {
        // Without the parentheses, `a.b` could also be the column b of a table a.
        let operand = if operand.binding == Binding::Postfix { operand.sql.clone() } else { format!("({})", operand.sql) };
        Ok(Printed::new(format!("{operand}.{}", self.quote(field)), Binding::Postfix))
    }

    fn lambda(&self, parameters: &[String], body: &Printed, _span: Span) -> Result<Printed, Unsupported> {
        let parameters: Vec<String> = parameters.iter().map(|p| self.quote(p)).collect();
        Ok(Printed::new(format!("lambda {}: {}", parameters.join(", "), body.sql), Binding::Lambda))
    }
}

fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// Returns the engine's name of a type; it can hold every one, if only as text.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "BOOLEAN".to_string(),
        DataType::SmallInt => "SMALLINT".to_string(),
        DataType::Integer => "INTEGER".to_string(),
        DataType::BigInt => "BIGINT".to_string(),
        DataType::HugeInt => "HUGEINT".to_string(),
        // The engine's own default of (18,3) would round; this keeps 28 digits before the point and 10 after it.
        DataType::Decimal(None) => "DECIMAL(38,10)".to_string(),
        DataType::Decimal(Some((precision, scale))) => format!("DECIMAL({precision},{scale})"),
        DataType::Real => "FLOAT".to_string(),
        DataType::Double => "DOUBLE".to_string(),
        // Lengths are judged by the contract, not by the engine; types that only the target knows are staged as text.
        DataType::Text | DataType::Varchar(_) | DataType::Char(_) | DataType::Named(_) | DataType::Unknown => {
            "VARCHAR".to_string()
        }
        DataType::Date => "DATE".to_string(),
        DataType::Time => "TIME".to_string(),
        DataType::Timestamp(_) => "TIMESTAMP".to_string(),
        DataType::TimestampTz(_) => "TIMESTAMPTZ".to_string(),
        DataType::Interval => "INTERVAL".to_string(),
        DataType::Uuid => "UUID".to_string(),
        DataType::Json { .. } => "JSON".to_string(),
        DataType::Bytes => "BLOB".to_string(),
        DataType::List(element) => format!("{}[]", type_name(element)),
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields.iter().map(|(name, kind)| format!("{} {}", quote(name), type_name(kind))).collect();
            format!("STRUCT({})", fields.join(", "))
        }
    }
}
