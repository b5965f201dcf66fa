//! Postgres, for views, guards and conditions that run in the target.
//!
//! In: printed parts in the engine's terms. Out: Postgres SQL that means the same; what differs or has no counterpart is refused.
//! Does not know about statements.

use super::print::{infix, like, standard, text};
use super::{Binding, Dialect, Printed, PrintedCall, PrintedLike, Unsupported};
use crate::diagnostics::Span;
use crate::expr::{BinaryOp, Expr, ExprKind, Literal};
use crate::types::DataType;

/// Postgres 13 or later, with standard_conforming_strings on.
pub struct Postgres;

/// Functions that mean the same under the same name.
const SAME: &[&str] = &[
    "abs",
    "array_agg",
    "bool_and",
    "bool_or",
    "ceil",
    "ceiling",
    "chr",
    "coalesce",
    "concat",
    "concat_ws",
    "count",
    "cume_dist",
    "dense_rank",
    "first_value",
    "floor",
    "gen_random_uuid",
    "greatest",
    "lag",
    "last_value",
    "lead",
    "least",
    "left",
    "length",
    "lower",
    "lpad",
    "ltrim",
    "make_date",
    "max",
    "md5",
    "min",
    "nth_value",
    "ntile",
    "nullif",
    "percent_rank",
    "rank",
    "repeat",
    "replace",
    "reverse",
    "right",
    "row_number",
    "rpad",
    "rtrim",
    "split_part",
    "starts_with",
    "string_agg",
    "strpos",
    "substring",
    "sum",
    "timezone",
    "translate",
    "trim",
    "upper",
];

/// Functions that mean the same under another name.
const RENAMED: &[(&str, &str)] = &[
    ("char_length", "length"),
    ("character_length", "length"),
    ("lcase", "lower"),
    ("len", "length"),
    ("list", "array_agg"),
    ("substr", "substring"),
    ("ucase", "upper"),
    ("uuid", "gen_random_uuid"),
];

/// Functions that are written without parentheses.
const BARE: &[&str] = &["current_date", "current_timestamp", "current_user", "localtimestamp"];

impl Dialect for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn quote(&self, identifier: &str) -> String {
        format!("\"{}\"", identifier.replace('"', "\"\""))
    }

    fn type_name(&self, data_type: &DataType, span: Span) -> Result<String, Unsupported> {
        let digits = |digits: &Option<u8>| digits.map(|n| format!("({})", n.min(6))).unwrap_or_default();
        Ok(match data_type {
            DataType::Boolean => "boolean".to_string(),
            DataType::SmallInt => "smallint".to_string(),
            DataType::Integer => "integer".to_string(),
            DataType::BigInt => "bigint".to_string(),
            DataType::HugeInt => "numeric(39,0)".to_string(),
            DataType::Decimal(None) => "numeric".to_string(),
            DataType::Decimal(Some((precision, scale))) => format!("numeric({precision},{scale})"),
            DataType::Real => "real".to_string(),
            DataType::Double => "double precision".to_string(),
            DataType::Text => "text".to_string(),
            DataType::Varchar(n) => format!("varchar({n})"),
            DataType::Char(n) => format!("char({n})"),
            DataType::Date => "date".to_string(),
            DataType::Time => "time".to_string(),
            DataType::Timestamp(n) => format!("timestamp{}", digits(n)),
            DataType::TimestampTz(n) => format!("timestamp{} with time zone", digits(n)),
            DataType::Interval => "interval".to_string(),
            DataType::Uuid => "uuid".to_string(),
            DataType::Json { binary: false } => "json".to_string(),
            DataType::Json { binary: true } => "jsonb".to_string(),
            DataType::Bytes => "bytea".to_string(),
            DataType::List(element) => format!("{}[]", self.type_name(element, span)?),
            DataType::Named(name) => name.clone(),
            DataType::Unknown | DataType::Struct(_) => return Err(Unsupported::new(format!("the type {data_type}"), span)),
        })
    }

    fn literal(&self, literal: &Literal, span: Span) -> Result<Printed, Unsupported> {
        Ok(match literal {
            Literal::Null => Printed::atom("NULL"),
            Literal::Boolean(true) => Printed::atom("TRUE"),
            Literal::Boolean(false) => Printed::atom("FALSE"),
            // The engine reads 1e5 as a floating point number, Postgres as a numeric.
            Literal::Number(digits) if digits.contains(['e', 'E']) => {
                Printed::atom(format!("CAST({digits} AS double precision)"))
            }
            Literal::Number(digits) if digits.starts_with(['-', '+']) => Printed::new(digits.clone(), Binding::Sign),
            Literal::Number(digits) => Printed::atom(digits.clone()),
            Literal::Text(value) | Literal::Typed(_, value) if value.contains('\0') => {
                return Err(Unsupported::new("a text with the character U+0000", span));
            }
            Literal::Text(value) => Printed::atom(text(value)),
            Literal::Typed(kind, value) => match kind {
                DataType::Date | DataType::Time | DataType::Timestamp(_) | DataType::Interval | DataType::Uuid => {
                    Printed::atom(format!("{} {}", self.type_name(kind, span)?, text(value)))
                }
                _ => Printed::atom(format!("CAST({} AS {})", text(value), self.type_name(kind, span)?)),
            },
        })
    }

    fn call(&self, call: &PrintedCall) -> Result<Printed, Unsupported> {
        let function = call.call.function.as_str();
        let renamed = RENAMED.iter().find(|(from, _)| *from == function).map(|(_, to)| *to);
        let count = call.arguments.len();
        match function {
            _ if count == 0 && BARE.contains(&function) => Ok(Printed::atom(function)),
            // Places before the first count from the end in the engine only.
            "substring" | "substr" if call.call.arguments.get(1).is_some_and(|from| !is_positive(from)) => call.unsupported(),
            "string_agg" if count != 2 => call.unsupported(),
            _ if SAME.contains(&function) => Ok(call.named(function)),
            "now" if count == 0 => Ok(Printed::atom("now()")),
            "ifnull" if count == 2 => Ok(call.named("coalesce")),
            "avg" => {
                let average = call.named("avg");
                Ok(Printed::atom(format!("CAST({} AS double precision)", average.sql)))
            }
            "round" if count == 2 => {
                let (number, digits) = (call.argument(0, Binding::Lambda)?, call.argument(1, Binding::Lambda)?);
                Ok(Printed::atom(format!("round(CAST({number} AS numeric), {digits})")))
            }
            "round" if count == 1 => Ok(Printed::atom(format!("round(CAST({} AS numeric))", call.argument(0, Binding::Lambda)?))),
            "mod" if count == 2 => Ok(call.named("mod")),
            "if" if count == 3 => {
                let part = |index| call.argument(index, Binding::Lambda);
                Ok(Printed::atom(format!("CASE WHEN {} THEN {} ELSE {} END", part(0)?, part(1)?, part(2)?)))
            }
            "regexp_matches" if count == 2 => {
                let sql = format!("{} ~ {}", call.argument(0, Binding::Sum)?, call.argument(1, Binding::Sum)?);
                Ok(Printed::new(sql, Binding::Other))
            }
            "regexp_matches" if count == 3 && matches!(call.call.arguments.as_slice(), [_, _, flag] if is_text(flag, "i")) => {
                let sql = format!("{} ~* {}", call.argument(0, Binding::Sum)?, call.argument(1, Binding::Sum)?);
                Ok(Printed::new(sql, Binding::Other))
            }
            "regexp_full_match" if count == 2 => {
                let sql =
                    format!("{} ~ ('^(?:' || {} || ')$')", call.argument(0, Binding::Sum)?, call.argument(1, Binding::Sum)?);
                Ok(Printed::new(sql, Binding::Other))
            }
            "list_contains" | "array_contains" if count == 2 => {
                let (list, item) = (call.argument(0, Binding::Postfix)?, call.argument(1, Binding::Postfix)?);
                let sql = format!(
                    "CASE WHEN {list} IS NOT NULL AND {item} IS NOT NULL THEN array_position({list}, {item}) IS NOT NULL END"
                );
                Ok(Printed::atom(sql))
            }
            "contains" if count == 2 => {
                let sql = format!("strpos({}, {}) > 0", call.argument(0, Binding::Lambda)?, call.argument(1, Binding::Lambda)?);
                Ok(Printed::new(sql, Binding::Comparison))
            }
            // Of a date, Postgres would make an instant in the session's zone.
            "date_trunc" if count == 2 => match call.call.arguments.get(1).map(|a| &a.kind) {
                Some(ExprKind::Cast { to: DataType::Date, .. } | ExprKind::Literal(Literal::Typed(DataType::Date, _))) => {
                    let (part, date) = (call.argument(0, Binding::Lambda)?, call.argument(1, Binding::Lambda)?);
                    Ok(Printed::atom(format!("date_trunc({part}, CAST({date} AS timestamp))")))
                }
                _ => Ok(call.named("date_trunc")),
            },
            "year" | "month" | "day" | "hour" | "minute" | "quarter" | "week" if count == 1 => {
                let argument = call.argument(0, Binding::Lambda)?;
                Ok(Printed::atom(format!("CAST(extract({function} FROM {argument}) AS bigint)")))
            }
            "date_part" if count == 2 => match call.call.arguments.first().map(|a| &a.kind) {
                Some(ExprKind::Literal(Literal::Text(part))) if is_whole_part(part) => {
                    let argument = call.argument(1, Binding::Lambda)?;
                    Ok(Printed::atom(format!("CAST(extract({part} FROM {argument}) AS bigint)")))
                }
                _ => call.unsupported(),
            },
            "to_days" if count == 1 => {
                Ok(Printed::atom(format!("make_interval(days => {})", call.argument(0, Binding::Lambda)?)))
            }
            _ => match renamed {
                Some(name) => Ok(call.named(name)),
                None => call.unsupported(),
            },
        }
    }

    fn binary(&self, _tree: &Expr, left: &Printed, op: BinaryOp, right: &Printed) -> Result<Printed, Unsupported> {
        match op {
            // The engine divides whole numbers with their remainder. By zero it makes an infinity, where Postgres fails: loudly, at least.
            BinaryOp::Divide => {
                let left = Printed::atom(format!("CAST({} AS double precision)", left.sql));
                Ok(infix("/", Binding::Product, &left, right))
            }
            BinaryOp::IntegerDivide => Ok(infix("/", Binding::Product, left, right)),
            _ => {
                let (symbol, binding) = standard(op);
                Ok(infix(symbol, binding, left, right))
            }
        }
    }

    fn like(&self, printed: PrintedLike, _span: Span) -> Result<Printed, Unsupported> {
        let has_escape = printed.escape.is_some();
        let written = like(&printed);
        // Without ESCAPE, Postgres takes a backslash for one; the engine has none.
        let may_hold = !printed.pattern.sql.starts_with('\'') || printed.pattern.sql.contains('\\');
        Ok(if has_escape || !may_hold { written } else { Printed::new(format!("{} ESCAPE ''", written.sql), written.binding) })
    }

    fn list(&self, items: &[Printed], _span: Span) -> Result<Printed, Unsupported> {
        let items: Vec<&str> = items.iter().map(|i| i.sql.as_str()).collect();
        Ok(Printed::atom(format!("ARRAY[{}]", items.join(", "))))
    }

    fn subscript(&self, list: &Printed, index: &Printed, span: Span) -> Result<Printed, Unsupported> {
        // The engine counts negative places from the end.
        if index.sql.parse::<u32>().is_err() {
            return Err(Unsupported::new("a list's element at a place that is computed", span));
        }
        Ok(Printed::new(format!("({})[{}]", list.sql, index.sql), Binding::Postfix))
    }

    fn structure(&self, _fields: &[(String, Printed)], span: Span) -> Result<Printed, Unsupported> {
        Err(Unsupported::new("a struct", span))
    }

    fn field(&self, operand: &Printed, field: &str, _span: Span) -> Result<Printed, Unsupported> {
        Ok(Printed::new(format!("({}).{}", operand.sql, self.quote(field)), Binding::Postfix))
    }

    fn lambda(&self, _parameters: &[String], _body: &Printed, span: Span) -> Result<Printed, Unsupported> {
        Err(Unsupported::new("a lambda", span))
    }
}

fn is_text(expr: &Expr, value: &str) -> bool {
    matches!(&expr.kind, ExprKind::Literal(Literal::Text(text)) if text == value)
}

fn is_positive(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Literal(Literal::Number(n)) if n.parse::<u64>().is_ok_and(|n| n > 0))
}

fn is_whole_part(part: &str) -> bool {
    matches!(part, "year" | "month" | "day" | "hour" | "minute" | "quarter" | "week" | "dow" | "doy" | "isodow" | "isoyear")
}

#[cfg(test)]
mod tests {
    use super::Postgres;
    use crate::diagnostics::{Diagnostics, SourceMap, Span};
    use crate::expr::parse;
    use crate::sql::expression;

    fn postgres(text: &str) -> Result<String, String> {
        let span = Span { file: SourceMap::default().add("test", text), start: 0, end: text.len() as u32 };
        let mut out = Diagnostics::default();
        let expr = parse::expression(text, span, true, &mut out).unwrap_or_else(|| panic!("{:?}", out.into_sorted()));
        expression(&Postgres, &expr).map_err(|unsupported| unsupported.what)
    }

    #[test]
    fn what_differs_is_written_in_other_words() {
        for (engine, expected) in [
            ("a / b", r#"CAST("a" AS double precision) / "b""#),
            ("a // b", r#""a" / "b""#),
            ("a ~ '^x'", r#""a" ~ '^x'"#),
            ("not regexp_matches(a, 'x', 'i')", r#"NOT "a" ~* 'x'"#),
            (r"a like 'x\%'", r#""a" LIKE 'x\%' ESCAPE ''"#),
            ("a like 'x%'", r#""a" LIKE 'x%'"#),
            ("extract(year from a)", r#"CAST(extract(year FROM "a") AS bigint)"#),
            ("list(a order by b)", r#"array_agg("a" ORDER BY "b")"#),
            ("row_number() over (partition by a order by b desc)", r#"row_number() OVER (PARTITION BY "a" ORDER BY "b" DESC)"#),
            ("if(a, 1, 2)", r#"CASE WHEN "a" THEN 1 ELSE 2 END"#),
            ("a::double", r#"CAST("a" AS double precision)"#),
            (r"'it''s \' || a", r#"'it''s \' || "a""#),
            ("[1, 2]", "ARRAY[1, 2]"),
        ] {
            assert_eq!(postgres(engine).as_deref(), Ok(expected), "{engine}");
        }
    }

    #[test]
    fn what_has_no_counterpart_is_refused() {
        for (engine, what) in [
            ("strftime(a, '%Y')", "the function `strftime`"),
            ("try_cast(a as integer)", "TRY_CAST"),
            ("list_transform(a, lambda x: x)", "a lambda"),
            ("{'a': 1}", "a struct"),
            ("substring(a, -2)", "the function `substring`"),
            ("string_agg(a)", "the function `string_agg`"),
        ] {
            assert_eq!(postgres(engine), Err(what.to_string()), "{engine}");
        }
    }
}
