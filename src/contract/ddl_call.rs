//! The functions of CHECK constraints and indexes that the engine has too, under its own names.
//!
//! In: a call in the target's dialect. Out: an [`Expr`] with the same result for every value, or `None`.
//! Does not know operators.

use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments, TrimWhereField};

use super::ddl::Flavor;
use super::ddl_expr::{Kind, Scope, lower, padded};
use super::ddl_number;
use crate::expr::{BinaryOp, Expr, ExprKind, Literal};
use crate::types::DataType;

/// Lowers a call, or one of the calls with a grammar of their own.
pub(super) fn lower_call(expr: &ast::Expr, scope: &Scope) -> Option<Expr> {
    let call = |name: &str, arguments: Vec<Expr>| Expr::call(name, arguments, scope.span);
    match expr {
        ast::Expr::Function(function) => lower_function(function, scope),
        ast::Expr::Trim { trim_where, trim_what, expr, trim_characters: None } => {
            let name = match trim_where {
                None | Some(TrimWhereField::Both) => "trim",
                Some(TrimWhereField::Leading) => "ltrim",
                Some(TrimWhereField::Trailing) => "rtrim",
            };
            let what = match trim_what {
                Some(what) => lower(what, scope)?,
                None => Expr::text(" ", scope.span),
            };
            Some(call(name, vec![text(lower(expr, scope)?, scope)?, what]))
        }
        ast::Expr::Substring { expr, substring_from: Some(from), substring_for, .. } => {
            let mut arguments = vec![text(lower(expr, scope)?, scope)?, count(lower(from, scope)?)?];
            if let Some(length) = substring_for {
                arguments.push(count(lower(length, scope)?)?);
            }
            Some(call("substring", arguments))
        }
        ast::Expr::Position { expr, r#in } => Some(call("strpos", vec![lower(r#in, scope)?, lower(expr, scope)?])),
        _ => None,
    }
}

/// Lowers T-SQL's `LEN(c COLLATE ..._SC + '.') - 1`, which counts characters, those at the end too.
pub(super) fn counted(left: &ast::Expr, right: &ast::Expr, scope: &Scope) -> Option<Expr> {
    let is = |e: &ast::Expr, wanted: &str| {
        let text = e.to_string();
        text.trim_start_matches(['N', '(']).trim_end_matches(')') == wanted
    };
    let ast::Expr::Function(ast::Function { name, args: FunctionArguments::List(list), .. }) = left else { return None };
    let [
        FunctionArg::Unnamed(FunctionArgExpr::Expr(ast::Expr::BinaryOp {
            left: text_of,
            op: ast::BinaryOperator::Plus,
            right: dot,
        })),
    ] = list.args.as_slice()
    else {
        return None;
    };
    let ast::Expr::Collate { expr, collation } = &**text_of else { return None };
    let characters = collation.to_string().to_uppercase().contains("_SC");
    let alike = name.to_string().eq_ignore_ascii_case("len") && is(right, "1") && is(dot, "'.'");
    if scope.flavor != Flavor::Tsql || !alike || !characters {
        return None;
    }
    Some(Expr::call("length", vec![text(lower(expr, scope)?, scope)?], scope.span))
}

fn lower_function(function: &ast::Function, scope: &Scope) -> Option<Expr> {
    let plain = function.over.is_none() && function.filter.is_none() && function.within_group.is_empty();
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    if !plain || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return None;
    }
    let argument = |a: &FunctionArg| match a {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => lower(e, scope),
        _ => None,
    };
    let arguments = list.args.iter().map(argument).collect::<Option<Vec<_>>>()?;
    // Dumps quote the names that are also keywords: `"left"(c, 1)`.
    let full = function.name.to_string().replace('"', "").to_lowercase();
    let name = full.strip_prefix("pg_catalog.").unwrap_or(&full);
    if ["num_nulls", "num_nonnulls"].contains(&name) {
        return count_nulls(arguments, name == "num_nulls", scope);
    }
    let call = |name: &str, arguments: Vec<Expr>| Some(Expr::call(name, arguments, scope.span));
    let space = || Expr::text(" ", scope.span);
    let mut all = arguments.into_iter();
    match (scope.flavor, name, all.len()) {
        (_, "lower" | "upper", 1) => call(name, vec![text(all.next()?, scope)?]),
        (Flavor::Postgres, "length" | "char_length" | "character_length", 1) => call("length", vec![text(all.next()?, scope)?]),
        // LEN does not count spaces at the end.
        (Flavor::Tsql, "len", 1) => {
            call("length", vec![Expr::call("rtrim", vec![text(all.next()?, scope)?, space()], scope.span)])
        }
        (Flavor::Postgres, "octet_length", 1) => call("strlen", vec![padded(text(all.next()?, scope)?, scope)]),
        (_, "trim" | "btrim", 1) => call("trim", vec![text(all.next()?, scope)?, space()]),
        (_, "ltrim" | "rtrim", 1) => call(name, vec![text(all.next()?, scope)?, space()]),
        (Flavor::Postgres, "btrim", 2) => call("trim", vec![text(all.next()?, scope)?, all.next()?]),
        (Flavor::Postgres, "ltrim" | "rtrim", 2) => call(name, vec![text(all.next()?, scope)?, all.next()?]),
        (_, "coalesce", 1..) => {
            let all: Vec<Expr> = all.collect();
            let alike = all.windows(2).all(|pair| matches!(pair, [a, b] if ddl_number::comparable(a, b, scope)));
            alike.then(|| Expr::call("coalesce", all, scope.span))
        }
        (Flavor::Tsql, "year" | "month" | "day", 1) => call(name, vec![day(all.next()?, scope)?]),
        (Flavor::Tsql, "charindex", 2) => {
            let (part, within) = (all.next()?, text(all.next()?, scope)?);
            plain_sign(&part).then(|| Expr::call("strpos", vec![in_units(within), part], scope.span))
        }
        (Flavor::Tsql, "datalength", 1) => {
            let length = Expr::call("length", vec![in_units(wide_text(all.next()?, scope)?)], scope.span);
            Some(length.clone().binary(BinaryOp::Add, length))
        }
        (Flavor::Tsql, "isjson", 1) => Some(is_json(&text(all.next()?, scope)?)),
        (Flavor::Tsql, "isnull", 2) => call("coalesce", all.collect()),
        (_, "nullif", 2) => call("nullif", all.collect()),
        (_, "abs", 1) => all.next().filter(|a| scope.kind(a) == Kind::Number).and_then(|a| ddl_number::unary(a, false, scope)),
        (_, "replace", 3) => {
            let all: Vec<Expr> = all.collect();
            // Which letters are replaced is a collation's to say.
            let alike = scope.flavor == Flavor::Postgres || all.get(1).is_some_and(plain_sign);
            alike.then(|| Expr::call("replace", all, scope.span))
        }
        (_, "left" | "right", 2) => call(name, vec![text(all.next()?, scope)?, count(all.next()?)?]),
        (Flavor::Postgres, "strpos" | "starts_with", 2) => call(name, all.collect()),
        (Flavor::Postgres, "cardinality", 1) => call("len", vec![list_column(all.next()?, scope)?]),
        (Flavor::Postgres, "array_length", 2) => {
            let list = list_column(all.next()?, scope)?;
            let first = all.next().is_some_and(|d| matches!(d.kind, ExprKind::Literal(Literal::Number(n)) if n == "1"));
            // An empty array has no length there.
            let length = Expr::call("len", vec![list], scope.span);
            first.then(|| Expr::call("nullif", vec![length, Expr::number(0, scope.span)], scope.span))
        }
        (Flavor::Postgres, "jsonb_typeof" | "json_typeof", 1) => json_kind(&all.next()?, scope),
        _ => None,
    }
}

/// Writes ISJSON: 1 for an object or a list, 0 for other texts. The engine takes a comma before the end, NaN and infinities as well.
fn is_json(text: &Expr) -> Expr {
    let span = text.span;
    let call = |name: &str, first: Expr, more: &[&str]| {
        let more = more.iter().map(|m| Expr::text(*m, span));
        Expr::call(name, std::iter::once(first).chain(more).collect(), span)
    };
    let begins = call("regexp_matches", text.clone(), &[r"^\s*[\[{]"]);
    let bare = call("regexp_replace", text.clone(), &[r#""([^"\\]|\\.)*""#, "0", "g"]);
    let more = call("regexp_matches", bare, &[r"(?i),\s*[\]}]|nan|inf"]);
    let is = call("json_valid", text.clone(), &[]).and(begins).and(more.negate());
    let number = |n: u8| Expr::number(n, span);
    Expr::case(vec![(text.clone().is_null(), Expr::null(span)), (is, number(1))], number(0), span)
}

/// Returns a column of days: the day of an instant depends on a zone.
fn day(operand: Expr, scope: &Scope) -> Option<Expr> {
    let ExprKind::Column(name) = &operand.kind else { return None };
    matches!(scope.column(name)?.data_type, DataType::Date | DataType::Timestamp(_)).then_some(operand)
}

/// Returns a column of T-SQL whose every unit takes two bytes.
fn wide_text(operand: Expr, scope: &Scope) -> Option<Expr> {
    let ExprKind::Column(name) = &operand.kind else { return None };
    let column = scope.column(name)?;
    (column.type_name.is_none() && matches!(column.data_type, DataType::Text | DataType::Varchar(_))).then_some(operand)
}

/// Whether a constant is found alike by every collation: signs and digits of ASCII.
fn plain_sign(part: &Expr) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !c.is_ascii_alphabetic() && c != '_';
    matches!(&part.kind, ExprKind::Literal(Literal::Text(t)) if !t.is_empty() && t.chars().all(plain))
}

/// Makes a text have as many characters as it has UTF-16 units.
fn in_units(text: Expr) -> Expr {
    let span = text.span;
    let more = ["[\\x{10000}-\\x{10FFFF}]", "__", "g"].map(|t| Expr::text(t, span));
    Expr::call("regexp_replace", std::iter::once(text).chain(more).collect(), span)
}

/// Returns an operand that is text.
fn text(operand: Expr, scope: &Scope) -> Option<Expr> {
    matches!(scope.kind(&operand), Kind::Text | Kind::Quoted).then_some(operand)
}

/// Returns an operand that is a literal count; below one the dialects differ.
fn count(operand: Expr) -> Option<Expr> {
    let counts = matches!(&operand.kind, ExprKind::Literal(Literal::Number(n)) if n.parse::<u32>().is_ok_and(|n| n > 0));
    counts.then_some(operand)
}

fn list_column(operand: Expr, scope: &Scope) -> Option<Expr> {
    let ExprKind::Column(name) = &operand.kind else { return None };
    matches!(scope.column(name)?.data_type, DataType::List(_)).then_some(operand)
}

/// Writes `num_nonnulls(a, b)` as a sum.
fn count_nulls(arguments: Vec<Expr>, nulls: bool, scope: &Scope) -> Option<Expr> {
    let number = |n: u8| Expr::number(n, scope.span);
    arguments
        .into_iter()
        .map(|a| Expr::case(vec![(a.is_null(), number(u8::from(nulls)))], number(u8::from(!nulls)), scope.span))
        .reduce(|sum, one| sum.binary(BinaryOp::Add, one))
}

/// Translates the engine's names for the kinds of JSON values into Postgres's.
fn json_kind(operand: &Expr, scope: &Scope) -> Option<Expr> {
    let ExprKind::Column(name) = &operand.kind else { return None };
    if !matches!(scope.column(name)?.data_type, DataType::Json { .. }) {
        return None;
    }
    let word = |w: &str| Expr::text(w, scope.span);
    let named = |engine: &str, target: &str| {
        let kind = Expr::call("json_type", vec![operand.clone()], scope.span);
        (kind.binary(BinaryOp::Equal, word(engine)), word(target))
    };
    let mut branches = vec![(operand.clone().is_null(), Expr::null(scope.span))];
    branches.extend([named("OBJECT", "object"), named("ARRAY", "array"), named("VARCHAR", "string")]);
    branches.extend([named("BOOLEAN", "boolean"), named("NULL", "null")]);
    Some(Expr::case(branches, word("number"), scope.span))
}
