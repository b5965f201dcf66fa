//! Functions that mean the same in the target, in its words.
//!
//! In: a call. Out: SQL. Every function that may pass stands here, with the arguments for which it gives the engine's value; any other is
//! refused. Letters are not folded: what `lower` and `upper` make of them is each database's own.
//! Does not know about relations.

use super::Unsupported;
use super::dialect::{Joined, Sought};
use super::expression::{Typed, Writer, family, reads};
use crate::diagnostics::Span;
use crate::expr::{BinaryOp, Call, Expr, ExprKind, Literal};
use crate::sql::{Binding, Printed};
use crate::types::DataType;

/// The characters that the engine trims: the spaces of Unicode, and no tabs or line ends.
const SPACES: &str = " \u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{202f}\u{205f}\u{3000}";

impl Writer<'_> {
    /// Writes a call whose value has this type.
    pub(super) fn call(&self, call: &Call, kind: &DataType, span: Span) -> Result<Typed, Unsupported> {
        let name = if call.function == "pipe_uuid5" { "uuid5" } else { call.function.as_str() };
        let refused = |what: &str| Err(Unsupported::new(format!("the function `{name}`{what}"), span));
        if call.over.is_some() {
            return refused(" over a window");
        }
        if crate::expr::parse::is_aggregate(&call.function) {
            return self.aggregate(call, kind, span);
        }
        if let Some(part) = call.arguments.iter().find(|a| family(&self.kind(a)).is_none() && !null(a)) {
            return refused(&format!(" of {}", self.kind(part)));
        }
        let value = |sql: String| Ok(Typed { printed: Printed::atom(sql), kind: kind.clone(), condition: false });
        let test = |sql: String| Ok(Typed { printed: Printed::new(sql, Binding::Or), kind: DataType::Boolean, condition: true });
        let dialect = self.dialect;
        let kinds: Vec<DataType> = call.arguments.iter().map(|a| self.kind(a)).collect();
        let texts = kinds.iter().all(DataType::is_text);
        let said = |e: &Expr| Ok(self.value(e)?.sql);
        let said_all = |list: &[&Expr]| list.iter().map(|e| said(e)).collect::<Result<Vec<String>, Unsupported>>();
        let kinds_refused = || refused(&format!(" of {}", kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")));
        match (name, call.arguments.as_slice()) {
            (_, [_, ..]) if dialect.lacks().contains(&name) => kinds_refused(),
            ("coalesce" | "ifnull", list) => {
                let list: Vec<String> = list.iter().map(|a| self.alternative(a, kind)).collect::<Result<_, _>>()?;
                if list.len() == 1 {
                    value(format!("({})", list.join("")))
                } else {
                    value(format!("COALESCE({})", list.join(", ")))
                }
            }
            ("nullif", [a, b]) => {
                let equal = self.compare(a, BinaryOp::Equal, b, span)?.sql;
                let printed = format!("CASE WHEN {equal} THEN NULL ELSE {} END", said(a)?);
                Ok(Typed { printed: Printed::atom(printed), kind: self.kind(a), condition: false })
            }
            ("if", [test, then, otherwise]) => {
                let (then, otherwise) = (self.alternative(then, kind)?, self.alternative(otherwise, kind)?);
                value(format!("CASE WHEN {} THEN {then} ELSE {otherwise} END", self.condition(test)?.sql))
            }
            // Both leave NULLs aside, as the engine does.
            ("greatest" | "least", list) if *kind != DataType::Unknown => {
                let mut list: Vec<String> = list.iter().map(|a| self.alternative(a, kind)).collect::<Result<_, _>>()?;
                if kind.is_text() && !call.arguments.iter().any(reads) {
                    list = list.iter().map(|text| dialect.collate(text)).collect();
                }
                value(dialect.call(name, &list))
            }
            ("concat", list) => {
                let parts: Vec<String> = list.iter().map(|a| self.text_part(a)).collect::<Result<_, _>>()?;
                value(dialect.call("CONCAT", &dialect.long(parts, "N''")))
            }
            ("concat_ws", [separator, list @ ..]) if literal(separator).is_some() && !list.is_empty() => {
                let parts: Vec<String> = list.iter().map(|a| self.text_part(a)).collect::<Result<_, _>>()?;
                value(dialect.call("CONCAT_WS", &[vec![said(separator)?], dialect.long(parts, "NULL")].concat()))
            }
            ("length" | "len" | "char_length" | "character_length", [text]) if texts => {
                value(dialect.call("length", &[said(text)?]))
            }
            ("left" | "right", [text, count]) if kinds[0].is_text() && whole(count).is_some() => {
                value(dialect.call(name, &said_all(&[text, count])?))
            }
            // Places before the first count from the end in the engine only.
            ("substring" | "substr", [text, from, rest @ ..])
                if kinds[0].is_text()
                    && whole(from).is_some_and(|n| n > 0)
                    && rest.len() <= 1
                    && rest.iter().all(|n| whole(n).is_some()) =>
            {
                value(dialect.call("substring", &said_all(&call.arguments.iter().collect::<Vec<_>>())?))
            }
            ("trim" | "ltrim" | "rtrim", [text]) if texts => {
                value(dialect.call(name, &[said(text)?, dialect.literal(SPACES, span)?]))
            }
            ("replace", [text, from, to]) if texts && literal(from).is_some_and(|t| !t.is_empty()) && literal(to).is_some() => {
                value(dialect.call("REPLACE", &said_all(&[text, from, to])?))
            }
            ("contains" | "starts_with" | "prefix", [text, part]) if texts => {
                let (in_text, of_part) = (sought(text), sought(part));
                let (search, why) = match name {
                    "contains" => (dialect.contains(&in_text, &of_part), " of constants"),
                    _ => (dialect.starts_with(&in_text, &of_part), " with a prefix that is computed"),
                };
                match search {
                    Some(search) => test(search(&said(text)?, &said(part)?)),
                    None => refused(why),
                }
            }
            ("abs", [number]) if kinds[0].is_number() => value(format!("ABS({})", said(number)?)),
            ("floor", [number]) if exact(&kinds[0]) => value(format!("FLOOR({})", said(number)?)),
            ("ceil" | "ceiling", [number]) if exact(&kinds[0]) => value(format!("CEILING({})", said(number)?)),
            // Halves go away from zero in all of them; of a floating point number, what is a half depends on who computes.
            ("round", [number, rest @ ..]) if exact(&kinds[0]) && rest.len() <= 1 && rest.iter().all(|n| whole(n).is_some()) => {
                let places = rest.first().map_or(Ok("0".to_string()), said)?;
                value(dialect.call("round", &[said(number)?, places]))
            }
            ("year" | "month" | "day" | "quarter" | "hour" | "minute", [time]) => self.part_of(name, time, &kinds[0], kind, span),
            ("date_part" | "datepart", [part, time]) => {
                let part = literal(part).map(str::to_lowercase).unwrap_or_default();
                self.part_of(&part, time, &kinds[1], kind, span)
            }
            ("date_trunc", [part, time]) if matches!(kinds[1], DataType::Timestamp(_)) && literal(part).is_some_and(is_unit) => {
                value(dialect.call("date_trunc", &said_all(&[part, time])?))
            }
            _ if call.arguments.is_empty() => refused(""),
            _ => kinds_refused(),
        }
    }

    fn part_of(&self, part: &str, time: &Expr, from: &DataType, kind: &DataType, span: Span) -> Result<Typed, Unsupported> {
        let day = matches!(part, "year" | "month" | "day" | "quarter");
        let clock = matches!(part, "hour" | "minute") && matches!(from, DataType::Timestamp(_));
        if !(clock || day && matches!(from, DataType::Timestamp(_) | DataType::Date)) {
            return Err(Unsupported::new(format!("`{part}` of {from}"), span));
        }
        let time = self.value(time)?.sql;
        let sql = self.dialect.part_of(part, &time);
        Ok(Typed { printed: Printed::atom(sql), kind: kind.clone(), condition: false })
    }

    fn aggregate(&self, call: &Call, kind: &DataType, span: Span) -> Result<Typed, Unsupported> {
        let name = call.function.as_str();
        let dialect = self.dialect;
        let said = |e: &Expr| Ok::<String, Unsupported>(self.value(e)?.sql);
        let kinds: Vec<DataType> = call.arguments.iter().map(|a| self.kind(a)).collect();
        let refused = || {
            let of = kinds.first().map(|k| format!(" of {k}")).unwrap_or_default();
            let each = if call.distinct { " DISTINCT" } else { "" };
            Err(Unsupported::new(format!("the aggregate `{name}`{each}{of}"), span))
        };
        let filter = match &call.filter {
            None => String::new(),
            Some(filter) if dialect.filters() => format!(" FILTER (WHERE {})", self.condition(filter)?.sql),
            Some(_) => return Err(Unsupported::new("FILTER of an aggregate", span)),
        };
        if !call.order_by.is_empty() && name != "string_agg" && !matches!(name, "min" | "max" | "count") {
            return refused();
        }
        let distinct = if call.distinct { "DISTINCT " } else { "" };
        let simple = |word: &str, argument: String| format!("{word}({distinct}{argument}){filter}");
        let blurred = call.distinct && kinds.first().is_some_and(|k| dialect.told_apart("", k).is_some());
        let sql = match (name, call.arguments.as_slice()) {
            ("count", _) if call.star || call.arguments.is_empty() => {
                format!("{}(*){filter}", dialect.count())
            }
            ("count", [one]) if !blurred && family(&kinds[0]).is_some() => simple(dialect.count(), said(one)?),
            ("sum", [one]) if kinds[0].is_integer() => {
                let (sum, exact) = dialect.sum();
                simple(sum, format!("CAST({} AS {exact})", said(one)?))
            }
            ("sum", [one]) if matches!(kinds[0], DataType::Decimal(Some(_))) => simple("SUM", said(one)?),
            ("avg", [one]) if kinds[0].is_integer() => {
                let ((_, exact), double) = (dialect.sum(), dialect.type_name(&DataType::Double, span)?);
                let sum = simple("SUM", format!("CAST({} AS {exact})", said(one)?));
                format!("CAST({sum} AS {double}) / NULLIF({}, 0)", simple("COUNT", said(one)?))
            }
            ("min" | "max", [one]) if matches!(family(&kinds[0]), Some("number" | "text" | "date" | "timestamp")) => {
                simple(name, said(one)?)
            }
            ("bool_and" | "bool_or", [one]) if kinds[0] == DataType::Boolean => {
                let one = said(one)?;
                dialect.all_or_any(name, &one, simple(name, one.clone()))
            }
            // Rows that are alike in the sort key are alike in what is joined only if that is the key.
            ("string_agg", [one, separator]) if kinds[0].is_text() && literal(separator).is_some() && !blurred => {
                let by_itself = matches!(call.order_by.as_slice(), [key] if key.expr.kind == one.kind);
                if !by_itself {
                    return Err(Unsupported::new(
                        "`string_agg` in an order that leaves a choice (order by what is joined)",
                        span,
                    ));
                }
                dialect.string_agg(&Joined {
                    distinct,
                    text: &said(one)?,
                    separator: &said(separator)?,
                    order: &self.order_by(&call.order_by)?,
                    descending: call.order_by.iter().any(|k| k.descending),
                    filter: &filter,
                })
            }
            _ => return refused(),
        };
        let binding = if name == "avg" { Binding::Product } else { Binding::Atom };
        Ok(Typed { printed: Printed::new(sql, binding), kind: kind.clone(), condition: false })
    }

    fn text_part(&self, part: &Expr) -> Result<String, Unsupported> {
        if null(part) {
            return Ok("NULL".to_string());
        }
        Ok(self.as_text(&self.value(part)?, &self.kind(part), part.span)?.sql)
    }
}

fn sought(expr: &Expr) -> Sought<'_> {
    Sought { literal: literal(expr), reads: reads(expr) }
}

fn exact(kind: &DataType) -> bool {
    kind.is_integer() || matches!(kind, DataType::Decimal(Some(_)))
}

fn null(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Literal(Literal::Null))
}

fn literal(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Literal(Literal::Text(text)) => Some(text),
        _ => None,
    }
}

fn whole(expr: &Expr) -> Option<u32> {
    match &expr.kind {
        ExprKind::Literal(Literal::Number(digits)) => digits.parse().ok().filter(|n| *n <= 1_000_000),
        _ => None,
    }
}

fn is_unit(part: &str) -> bool {
    matches!(part, "year" | "quarter" | "month" | "day" | "hour" | "minute" | "second")
}
