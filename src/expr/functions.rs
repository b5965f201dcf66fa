//! Calls, and the forms of SQL that are calls in disguise: EXTRACT, SUBSTRING, TRIM, INTERVAL ... DAY.
//!
//! In: sqlparser's tree of one. Out: a [`Call`] by the engine's name, or a diagnostic.
//! Does not know about what a function means or returns; see `signatures`.

use sqlparser::ast::{
    self, CeilFloorKind, DateTimeField, Expr as Sql, FunctionArg, FunctionArgExpr, FunctionArgumentClause as Clause,
};
use sqlparser::ast::{FunctionArguments, Spanned, TrimWhereField, WindowFrameBound, WindowType};

use super::lower::{Lowerer, join};
use super::{BinaryOp, Call, Expr, ExprKind, Literal, OrderBy, Window};
use crate::diagnostics::Span;
use crate::types::DataType;

/// What is known of a function besides what it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Property {
    /// Makes one value of many rows (without OVER).
    Aggregate,
    /// Gives another value each time it is asked (DuckDB's manual: "Utility functions", "Timestamp functions").
    Fleeting,
    /// Costs no more than to look at its arguments.
    Quick,
}

use Property::{Aggregate, Fleeting, Quick};

/// The functions of the engine that are more than a value of their arguments, in order.
const FUNCTIONS: &[(&str, Property)] = &[
    ("abs", Quick),
    ("any_value", Aggregate),
    ("approx_count_distinct", Aggregate),
    ("approx_quantile", Aggregate),
    ("arbitrary", Aggregate),
    ("arg_max", Aggregate),
    ("arg_min", Aggregate),
    ("argmax", Aggregate),
    ("argmin", Aggregate),
    ("array_agg", Aggregate),
    ("avg", Aggregate),
    ("bit_and", Aggregate),
    ("bit_or", Aggregate),
    ("bit_xor", Aggregate),
    ("bool_and", Aggregate),
    ("bool_or", Aggregate),
    ("coalesce", Quick),
    ("corr", Aggregate),
    ("count", Aggregate),
    ("count_if", Aggregate),
    ("count_star", Aggregate),
    ("countif", Aggregate),
    ("covar_pop", Aggregate),
    ("covar_samp", Aggregate),
    ("current_date", Fleeting),
    ("current_localtime", Fleeting),
    ("current_localtimestamp", Fleeting),
    ("current_time", Fleeting),
    ("current_timestamp", Fleeting),
    ("date_part", Quick),
    ("day", Quick),
    ("entropy", Aggregate),
    ("favg", Aggregate),
    ("first", Aggregate),
    ("fsum", Aggregate),
    ("gen_random_uuid", Fleeting),
    ("geomean", Aggregate),
    ("geometric_mean", Aggregate),
    ("get_current_time", Fleeting),
    ("get_current_timestamp", Fleeting),
    ("group_concat", Aggregate),
    ("histogram", Aggregate),
    ("hour", Quick),
    ("ifnull", Quick),
    ("json_group_array", Aggregate),
    ("json_group_object", Aggregate),
    ("kahan_sum", Aggregate),
    ("kurtosis", Aggregate),
    ("last", Aggregate),
    ("length", Quick),
    ("list", Aggregate),
    ("listagg", Aggregate),
    ("mad", Aggregate),
    ("max", Aggregate),
    ("max_by", Aggregate),
    ("mean", Aggregate),
    ("median", Aggregate),
    ("min", Aggregate),
    ("min_by", Aggregate),
    ("minute", Quick),
    ("mode", Aggregate),
    ("month", Quick),
    ("now", Fleeting),
    ("nullif", Quick),
    ("product", Aggregate),
    ("quantile", Aggregate),
    ("quantile_cont", Aggregate),
    ("quantile_disc", Aggregate),
    ("random", Fleeting),
    ("regr_slope", Aggregate),
    ("second", Quick),
    ("skewness", Aggregate),
    ("stddev", Aggregate),
    ("stddev_pop", Aggregate),
    ("stddev_samp", Aggregate),
    ("string_agg", Aggregate),
    ("sum", Aggregate),
    ("sumkahan", Aggregate),
    ("today", Fleeting),
    ("transaction_timestamp", Fleeting),
    ("uuid", Fleeting),
    ("uuidv4", Fleeting),
    ("uuidv7", Fleeting),
    ("var_pop", Aggregate),
    ("var_samp", Aggregate),
    ("variance", Aggregate),
    ("year", Quick),
];

/// Tells whether a function makes one value of many rows (without OVER).
pub fn is_aggregate(function: &str) -> bool {
    property(function) == Some(Aggregate)
}

/// Tells whether a function gives another value each time it is asked.
pub fn is_fleeting(function: &str) -> bool {
    property(function) == Some(Fleeting)
}

/// Tells whether a function costs no more than to look at its arguments.
pub fn is_quick(function: &str) -> bool {
    property(function) == Some(Quick)
}

fn property(function: &str) -> Option<Property> {
    let found = FUNCTIONS.binary_search_by_key(&function.to_lowercase().as_str(), |(name, _)| name);
    found.ok().and_then(|at| FUNCTIONS.get(at)).map(|(_, property)| *property)
}

impl Lowerer<'_, '_> {
    /// Lowers a call, or a form that is one in disguise.
    pub fn call_like(&mut self, sql: &Sql) -> Option<Expr> {
        let span = match sql {
            Sql::Subquery(_) | Sql::Exists { .. } | Sql::InSubquery { .. } => self.span_of(sql),
            _ => self.brackets(self.span_of(sql), true),
        };
        match sql {
            Sql::Extract { field, expr, .. } => {
                let field = Expr::text(field.to_string().trim_matches('\'').to_lowercase(), span);
                let argument = self.expr(expr)?;
                Some(Expr::call("date_part", vec![field, argument], span))
            }
            Sql::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.plain("ceil", &[expr], span)
            }
            Sql::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.plain("floor", &[expr], span)
            }
            Sql::Position { expr, r#in } => self.plain("strpos", &[r#in, expr], span),
            Sql::AtTimeZone { timestamp, time_zone } => {
                let call = self.plain("timezone", &[time_zone, timestamp], span)?;
                let ends = join(self.span_of(timestamp), self.span_of(time_zone));
                Some(Expr { span: ends, ..call })
            }
            Sql::Substring { expr, substring_from, substring_for, .. } => {
                let (text, from, length) =
                    (self.expr(expr), self.optional(substring_from.as_deref()), self.optional(substring_for.as_deref()));
                let from = from?.map_or(Expr::number(1, span), |from| *from);
                let arguments = [text?, from].into_iter().chain(length?.map(|l| *l)).collect();
                Some(Expr::call("substring", arguments, span))
            }
            Sql::Trim { trim_where, trim_what, expr, trim_characters } => {
                let function = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    Some(TrimWhereField::Both) | None => "trim",
                };
                let further = trim_characters.iter().flatten().chain(trim_what.as_deref());
                let arguments: Vec<&Sql> = std::iter::once(&**expr).chain(further).collect();
                self.plain(function, &arguments, span)
            }
            Sql::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let (text, what, from) = (self.expr(expr), self.expr(overlay_what), self.expr(overlay_from));
                let (text, what, from) = (text?, what?, from?);
                let length = match self.optional(overlay_for.as_deref())? {
                    Some(length) => *length,
                    None => Expr::call("length", vec![what.clone()], span),
                };
                let head =
                    Expr::call("left", vec![text.clone(), from.clone().binary(BinaryOp::Subtract, Expr::number(1, span))], span);
                let tail = Expr::call("substring", vec![text, from.binary(BinaryOp::Add, length)], span);
                Some(head.binary(BinaryOp::Concat, what).binary(BinaryOp::Concat, tail))
            }
            Sql::Interval(interval) => self.interval(interval),
            Sql::Subquery(_) | Sql::Exists { .. } | Sql::InSubquery { .. } | Sql::InUnnest { .. } => {
                self.out
                    .error("E0311", span, "expression form not supported: a subquery")
                    .help("Use the clause `join:` to look values up in another table, or `sql:` for a whole SELECT.");
                None
            }
            Sql::SimilarTo { .. } => {
                self.out
                    .error("E0311", span, "expression form not supported: SIMILAR TO")
                    .help("Write regexp_full_match(text, 'pattern').");
                None
            }
            Sql::Tuple(_) => self.unsupported("several values in one pair of parentheses", span),
            Sql::Wildcard(token) => self.unsupported("`*` outside count(*)", self.at(token.0.span)),
            Sql::QualifiedWildcard(..) => self.unsupported("`*` outside count(*)", span),
            Sql::Map(_) => self.unsupported("a MAP literal", span),
            Sql::Struct { .. } => self.unsupported("STRUCT(...)", span),
            Sql::Like { .. } | Sql::ILike { .. } => self.unsupported("LIKE ANY", span),
            Sql::Collate { .. } => self.unsupported("COLLATE", span),
            Sql::AnyOp { .. } | Sql::AllOp { .. } => self.unsupported("a comparison with ANY or ALL", span),
            Sql::RLike { .. } => self.unsupported("RLIKE", span),
            Sql::Ceil { .. } | Sql::Floor { .. } => self.unsupported("CEIL and FLOOR to a unit", span),
            other => {
                let text: String = other.to_string().chars().take(60).collect();
                self.unsupported(&format!("`{text}`"), span)
            }
        }
    }

    fn plain(&mut self, function: &str, arguments: &[&Sql], span: Span) -> Option<Expr> {
        let lowered: Vec<_> = arguments.iter().map(|a| self.expr(a)).collect();
        Some(Expr::call(function, lowered.into_iter().collect::<Option<_>>()?, span))
    }

    pub fn function(&mut self, function: &ast::Function) -> Option<Expr> {
        let [ast::ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else {
            let what = format!("expression form not supported: the function `{}` with a dot in its name", function.name);
            self.out
                .error("E0311", self.at(function.name.span()), what)
                .help("Write the value as the first argument: length(name) instead of name.length().");
            return None;
        };
        let at = self.at(name.span);
        let end = self.place.tokens().and_then(|tokens| tokens.call_end(self.offset(at.start)));
        let span = end.map_or(at, |end| self.place.slice((self.offset(at.start), end)));
        let mut call = Call {
            function: name.value.to_lowercase(),
            arguments: vec![],
            star: false,
            distinct: false,
            order_by: vec![],
            filter: None,
            over: None,
        };
        if function.null_treatment.is_some() || function.parameters != FunctionArguments::None {
            return self.unsupported("IGNORE NULLS", span);
        }
        let list = match &function.args {
            FunctionArguments::List(list) => list,
            FunctionArguments::None => return Some(Expr::new(ExprKind::Call(call), span)),
            FunctionArguments::Subquery(_) => return self.unsupported("a subquery", span),
        };
        call.distinct = list.duplicate_treatment == Some(ast::DuplicateTreatment::Distinct);
        if call.function == "struct_pack" {
            return self.struct_pack(list, span);
        }
        for argument in &list.args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => call.arguments.push(self.expr(e)?),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if call.function == "count" && list.args.len() == 1 => {
                    call.star = true;
                }
                FunctionArg::Unnamed(_) => return self.unsupported("`*` outside count(*)", span),
                FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => {
                    return self.unsupported("a named argument", self.at(argument.span()));
                }
            }
        }
        for clause in &list.clauses {
            match clause {
                Clause::OrderBy(keys) => call.order_by = self.order_by(keys)?,
                Clause::Where(condition) => call.filter = Some(Box::new(self.expr(condition)?)),
                other => return self.unsupported(&format!("`{other}` in a call"), span),
            }
        }
        if !function.within_group.is_empty() {
            call = self.within_group(call, &function.within_group, span)?;
        }
        if let Some(filter) = &function.filter {
            call.filter = Some(Box::new(self.expr(filter)?));
        }
        call.over = match &function.over {
            None => None,
            Some(WindowType::WindowSpec(window)) => Some(self.window(window, span)?),
            Some(WindowType::NamedWindow(_)) => return self.unsupported("a window by its name", span),
        };
        Some(Expr::new(ExprKind::Call(call), span))
    }

    /// `percentile_cont(0.5) WITHIN GROUP (ORDER BY x)` is `quantile_cont(x, 0.5)`.
    fn within_group(&mut self, mut call: Call, keys: &[ast::OrderByExpr], span: Span) -> Option<Call> {
        let function = match call.function.as_str() {
            "percentile_cont" => "quantile_cont",
            "percentile_disc" => "quantile_disc",
            "mode" => "mode",
            "string_agg" | "listagg" | "array_agg" => {
                call.order_by = self.order_by(keys)?;
                return Some(call);
            }
            _ => return self.unsupported("WITHIN GROUP", span),
        };
        match self.order_by(keys)?.pop() {
            Some(OrderBy { expr, descending: false, .. }) if keys.len() == 1 => {
                call.function = function.to_string();
                call.arguments.insert(0, expr);
                Some(call)
            }
            _ => self.unsupported("WITHIN GROUP with other than one ascending key", span),
        }
    }

    /// `struct_pack(a := 1)` is `{'a': 1}`.
    fn struct_pack(&mut self, list: &ast::FunctionArgumentList, span: Span) -> Option<Expr> {
        let fields: Vec<_> = list
            .args
            .iter()
            .map(|argument| match argument {
                FunctionArg::Named { name, arg: FunctionArgExpr::Expr(e), .. } => Some((name.value.clone(), self.expr(e)?)),
                FunctionArg::ExprNamed { name: Sql::Identifier(name), arg: FunctionArgExpr::Expr(e), .. } => {
                    Some((name.value.clone(), self.expr(e)?))
                }
                _ => self.unsupported("struct_pack without field names", span),
            })
            .collect();
        Some(Expr::new(ExprKind::Struct(fields.into_iter().collect::<Option<_>>()?), span))
    }

    fn window(&mut self, window: &ast::WindowSpec, span: Span) -> Option<Window> {
        if window.window_name.is_some() {
            return self.unsupported("a window by its name", span);
        }
        let (partition_by, order_by) = (self.all(&window.partition_by), self.order_by(&window.order_by));
        let frame = match &window.window_frame {
            None => None,
            Some(frame) => {
                let start = self.bound(&frame.start_bound, span)?;
                Some(match &frame.end_bound {
                    Some(end) => format!("{} BETWEEN {start} AND {}", frame.units, self.bound(end, span)?),
                    None => format!("{} {start}", frame.units),
                })
            }
        };
        Some(Window { partition_by: partition_by?, order_by: order_by?, frame })
    }

    fn bound(&mut self, bound: &WindowFrameBound, span: Span) -> Option<String> {
        let (rows, side) = match bound {
            WindowFrameBound::CurrentRow => return Some("CURRENT ROW".to_string()),
            WindowFrameBound::Preceding(rows) => (rows, "PRECEDING"),
            WindowFrameBound::Following(rows) => (rows, "FOLLOWING"),
        };
        match rows.as_deref() {
            None => Some(format!("UNBOUNDED {side}")),
            Some(Sql::Value(ast::ValueWithSpan { value: ast::Value::Number(n, false), .. }))
                if n.bytes().all(|b| b.is_ascii_digit()) =>
            {
                Some(format!("{n} {side}"))
            }
            Some(_) => self.unsupported("a window frame with other than a number of rows", span),
        }
    }

    fn interval(&mut self, interval: &ast::Interval) -> Option<Expr> {
        let value = self.expr(&interval.value)?;
        let mut span = self.with_word_before(value.span);
        if let (Some(tokens), Some(_)) = (self.place.tokens(), &interval.leading_field) {
            let end = tokens.after(self.offset(span.end)).unwrap_or(self.offset(span.end));
            span = self.place.slice((self.offset(span.start), end));
        }
        if interval.last_field.is_some()
            || interval.leading_precision.is_some()
            || interval.fractional_seconds_precision.is_some()
        {
            return self.unsupported("an interval with a range of units", span);
        }
        let unit = interval.leading_field.as_ref().map(|unit| unit.to_string().to_lowercase());
        let literal = match (&value.kind, &unit) {
            (ExprKind::Literal(Literal::Text(text)), None) => Some(text.clone()),
            (ExprKind::Literal(Literal::Text(text) | Literal::Number(text)), Some(unit)) => Some(format!("{text} {unit}")),
            _ => None,
        };
        if let Some(text) = literal {
            return Some(Expr::new(ExprKind::Literal(Literal::Typed(DataType::Interval, text)), span));
        }
        let function = match unit.as_deref().map(|u| u.trim_end_matches('s')) {
            Some("year") => "to_years",
            Some("month") => "to_months",
            Some("week") => "to_weeks",
            Some("day") => "to_days",
            Some("hour") => "to_hours",
            Some("minute") => "to_minutes",
            Some("second") => "to_seconds",
            _ => return self.unsupported("an interval without a unit such as DAY", span),
        };
        Some(Expr::call(function, vec![value], span))
    }
}

#[cfg(test)]
mod tests {
    use super::{FUNCTIONS, is_aggregate, is_fleeting, is_quick};

    #[test]
    fn properties_are_found_in_any_case() {
        assert!(FUNCTIONS.is_sorted_by_key(|(name, _)| *name));
        assert!(is_aggregate("SUM") && is_aggregate("string_agg"));
        assert!(!is_aggregate("lower") && !is_aggregate("row_number"));
        assert!(is_fleeting("Now") && is_fleeting("uuid") && !is_fleeting("uuid5") && !is_fleeting("sum"));
        assert!(is_quick("Coalesce") && !is_quick("lower") && !is_quick("sum") && !is_quick("now"));
    }
}
