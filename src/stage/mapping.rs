//! One column of `map` or `derive`: from an expression, through `values`, `parse`, `apply`, to a type.
//!
//! In: the author's node. Out: the raw value, the typed value, and where the one would not become the other.
//! Does not know what is done with the column.

use super::cast;
use super::flow::Flow;
use super::lowering::Lowering;
use crate::diagnostics::Spanned;
use crate::expr::{Expr, ExprKind};
use crate::spec::yaml::{Map, Node, Value};
use crate::types::DataType;

/// A column's value at three points.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Before the cast, as violations show it.
    pub raw: Expr,
    pub value: Expr,
    pub data_type: DataType,
    /// TRUE where `raw` would not cast.
    pub fails: Option<Expr>,
    /// TRUE where `unmapped: error` meets a value that its mapping does not list.
    pub unmapped: Option<Expr>,
}

const KEYS: &[&str] = &["from", "expr", "value", "values", "unmapped", "apply", "parse", "type"];

impl Mapping {
    /// Lowers a column's definition over the flow.
    pub fn lower(name: &Spanned<String>, node: &Node, flow: &Flow, cx: &mut Lowering) -> Option<Mapping> {
        let empty = Map::default();
        let (options, raw) = match &node.value {
            Value::Map(map) => {
                map.only(&format!("column `{}`", name.value), KEYS, cx.out);
                (map, base(name, node, map, flow, cx)?)
            }
            _ => (&empty, input(name, node, flow, cx)?),
        };
        let mut at = Step { expr: raw, data_type: DataType::Unknown, span: node.span };
        at.data_type = cx.type_of(&at.expr, flow);
        let unmapped = at.map_values(name, options, flow, cx);
        at.apply(options, flow, cx);
        let wanted = at.parse_and_type(name, options, flow, cx)?;
        let cast = match wanted {
            Wanted::Nothing => cast::Cast { value: at.expr.clone(), fails: None },
            Wanted::Type(ref to) => cast::to(&at.expr, &at.data_type, to),
            Wanted::Date(ref format) => cast::date(&at.expr, format),
        };
        let data_type = match wanted {
            Wanted::Nothing => at.data_type.clone(),
            Wanted::Type(to) => to,
            Wanted::Date(_) => DataType::Date,
        };
        Some(Mapping { raw: at.expr, value: cast.value, data_type, fails: cast.fails, unmapped })
    }
}

/// A column's value on its way.
struct Step {
    expr: Expr,
    data_type: DataType,
    span: crate::diagnostics::Span,
}

enum Wanted {
    Nothing,
    Type(DataType),
    Date(String),
}

/// The value that a definition starts from: `from`, `expr` or `value`.
fn base(name: &Spanned<String>, node: &Node, map: &Map, flow: &Flow, cx: &mut Lowering) -> Option<Expr> {
    let given: Vec<&str> = ["from", "expr", "value"].into_iter().filter(|k| map.get(k).is_some()).collect();
    match given[..] {
        [] => input(name, &Node { value: Value::Text { text: quoted(&name.value), plain: false }, span: name.span }, flow, cx),
        ["value"] => {
            let value = map.get("value")?;
            match &value.value {
                Value::Text { text, .. } => {
                    Some(Expr::text(cx.templates.bare(&Spanned::new(text.clone(), value.span), cx.out)?, value.span))
                }
                _ => cx.expression(value, "`value`"),
            }
        }
        [one] => input(name, map.get(one)?, flow, cx),
        _ => {
            cx.out
                .error("E0205", node.span, format!("column `{}` has {} at once", name.value, given.join(" and ")))
                .help("Keep one of `from`, `expr` and `value`.");
            None
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Reads an expression; a column that no record has is NULL where a default fills it.
fn input(name: &Spanned<String>, node: &Node, flow: &Flow, cx: &mut Lowering) -> Option<Expr> {
    let expr = cx.expression(node, "a column")?;
    if let ExprKind::Name(_) = &expr.kind {
        let filled = cx.table.defaults.contains_key(&name.value)
            || cx.table.clauses.get("default").is_some_and(|d| matches!(&d.value, Value::Map(m) if m.get(&name.value).is_some()));
        if filled {
            let found = cx.silently(|cx| cx.resolve(expr.clone(), flow));
            return Some(found.unwrap_or_else(|| Expr::null(expr.span)));
        }
    }
    cx.resolve(expr, flow)
}

impl Step {
    /// Replaces the values that the inline mapping or the table's shared one lists.
    fn map_values(&mut self, name: &Spanned<String>, options: &Map, flow: &Flow, cx: &mut Lowering) -> Option<Expr> {
        let mut pairs: Vec<(Spanned<String>, Node)> = vec![];
        let mut add = |map: &Map| {
            for (from, to) in &map.entries {
                if !pairs.iter().any(|(f, _)| f.value == from.value) {
                    pairs.push((from.clone(), to.clone()));
                }
            }
        };
        match options.get("values") {
            Some(Node { value: Value::Map(map), .. }) => add(map),
            Some(node) => {
                let named = node.expect_text("`values`", cx.out)?;
                match named_mapping(&named.value, cx) {
                    Some(map) => add(&map),
                    None => {
                        let names: Vec<String> = cx
                            .named_values
                            .iter()
                            .flat_map(|(t, columns)| columns.keys().map(move |c| format!("{t}.{c}")))
                            .collect();
                        cx.out
                            .error("E0425", named.span, format!("there is no value mapping `{}`", named.value))
                            .suggest(&named.value, names.iter().map(String::as_str))
                            .help("Name one of a file below `transforms: values:` as `table.column`, or write the mapping here.");
                    }
                }
            }
            None => {}
        }
        if let Some(Node { value: Value::Map(map), .. }) = cx.table.values.get(&name.value) {
            add(map);
        }
        if pairs.is_empty() {
            return None;
        }
        let span = self.span;
        let text = cast::as_text(&self.expr, &self.data_type);
        let unmapped = options.get("unmapped").and_then(|n| n.expect_text("`unmapped`", cx.out));
        let otherwise = match unmapped.as_ref().map(|u| u.value.as_str()) {
            None | Some("keep" | "error") => text.clone(),
            Some("null") => Expr::null(span),
            Some(other) => {
                let at = unmapped.as_ref().map_or(span, |u| u.span);
                let known = ["keep", "null", "error"];
                cx.out.error("E0206", at, format!("`unmapped` is keep, null or error, not `{other}`")).suggest(other, known);
                text.clone()
            }
        };
        let branches = pairs.iter().map(|(from, to)| (Expr::text(&from.value, from.span), literal_text(to))).collect();
        let listed: Vec<Expr> = pairs.iter().map(|(from, _)| Expr::text(&from.value, from.span)).collect();
        let case = ExprKind::Case { operand: Some(Box::new(text.clone())), branches, otherwise: Some(Box::new(otherwise)) };
        self.expr = Expr::new(case, span);
        self.data_type = DataType::Text;
        let _ = flow;
        unmapped.filter(|u| u.value == "error").map(|_| {
            let in_list = ExprKind::InList { operand: Box::new(text), list: listed, negated: true };
            Expr::new(in_list, span)
        })
    }

    /// Calls the macros of `apply`, in order.
    fn apply(&mut self, options: &Map, flow: &Flow, cx: &mut Lowering) {
        let Some(node) = options.get("apply") else { return };
        // A macro may compare and compute, so a parsed number must reach it as a number.
        if let Some(parse) = options.get("parse").and_then(|n| n.expect_text("`parse`", &mut Default::default()))
            && parse.value == "leading_number"
        {
            self.expr = cast::leading_number(&self.expr, &self.data_type).try_cast(DataType::Decimal(Some((38, 9))));
            self.data_type = DataType::Decimal(Some((38, 9)));
        }
        for name in node.expect_names("`apply`", cx.out).unwrap_or_default() {
            let Some(called) = cx.apply(&name, &self.expr) else {
                continue;
            };
            if let Some(resolved) = cx.resolve(called, flow) {
                self.data_type = cx.type_of(&resolved, flow);
                self.expr = resolved;
            }
        }
    }

    /// Reads `parse` and `type`; the type is also the contract's where the author gives none.
    fn parse_and_type(&mut self, name: &Spanned<String>, options: &Map, flow: &Flow, cx: &mut Lowering) -> Option<Wanted> {
        let _ = flow;
        let mut wanted = match options.get("type") {
            Some(node) => {
                let text = node.expect_text("`type`", cx.out)?;
                Some(parse_type(&text, cx)?)
            }
            None => cx.table.contract.as_ref().and_then(|c| c.column(&name.value)).map(|c| c.data_type.clone()),
        };
        let Some(parse) = options.get("parse") else {
            return Some(wanted.map_or(Wanted::Nothing, Wanted::Type));
        };
        if let Value::Map(map) = &parse.value {
            map.only("`parse`", &["date"], cx.out);
            let format = map.get("date").and_then(|n| n.expect_text("`date`", cx.out))?;
            self.expr = cast::as_text(&self.expr, &self.data_type);
            self.data_type = DataType::Text;
            return Some(Wanted::Date(format.value));
        }
        let kind = parse.expect_text("`parse`", cx.out)?;
        match kind.value.as_str() {
            "leading_number" if options.get("apply").is_none() => {
                self.expr = cast::leading_number(&self.expr, &self.data_type);
                wanted = wanted.or(Some(DataType::BigInt));
                self.data_type = DataType::Text;
            }
            "leading_number" => {}
            "boolean" => {
                self.expr = cast::spoken_boolean(&self.expr, &self.data_type);
                wanted = wanted.or(Some(DataType::Boolean));
                self.data_type = DataType::Text;
            }
            other => {
                cx.out
                    .error("E0206", kind.span, format!("`parse` does not know `{other}`"))
                    .suggest(other, ["leading_number", "boolean", "date"])
                    .help("Write `leading_number`, `boolean` or `{date: \"%d/%m/%Y\"}`.");
            }
        }
        Some(wanted.map_or(Wanted::Nothing, Wanted::Type))
    }
}

/// Reads a type's name, with a did-you-mean.
pub fn parse_type(text: &Spanned<String>, cx: &mut Lowering) -> Option<DataType> {
    let found = DataType::parse(&text.value);
    if found.is_none() {
        let known = [
            "text",
            "integer",
            "bigint",
            "decimal(10,2)",
            "double",
            "boolean",
            "date",
            "time",
            "timestamp",
            "timestamptz",
            "uuid",
            "json",
            "bytes",
        ];
        cx.out
            .error("E0207", text.span, format!("there is no type `{}`", text.value))
            .suggest(&text.value, known)
            .help(format!("Types are {}, varchar(n), and a type followed by `[]` for a list.", known.join(", ")));
    }
    found
}

fn literal_text(node: &Node) -> Expr {
    match &node.value {
        Value::Null => Expr::null(node.span),
        Value::Boolean(b) => Expr::text(b.to_string(), node.span),
        Value::Number(n) => Expr::text(n, node.span),
        Value::Text { text, .. } => Expr::text(text, node.span),
        Value::List(_) | Value::Map(_) => Expr::text(node.to_json().to_string(), node.span),
    }
}

fn named_mapping(name: &str, cx: &Lowering) -> Option<Map> {
    let (table, column) = name.split_once('.').unwrap_or((&cx.table.name.value, name));
    match &cx.named_values.get(table)?.get(column)?.value {
        Value::Map(map) => Some(map.clone()),
        _ => None,
    }
}
