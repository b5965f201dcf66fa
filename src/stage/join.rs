//! `join:`: columns of another relation, with a declared number of partners.
//!
//! Every join says how many rows of one side belong to one of the other (`expect`, by default many_to_one), and is held to it: by proof
//! where the key is known to be unique, else the engine counts before a row is multiplied.

use super::flow::{Change, Column, Flow};
use super::keys;
use super::{Clause, Lowering};
use crate::diagnostics::{Diagnostics, Span, Spanned};
use crate::expr::{BinaryOp, Expr, ExprKind, typing};
use crate::relation::{JoinKind, ROW, Relation};
use crate::spec::yaml::{Map, Node, Value};
use crate::types::DataType;

pub struct JoinClause;

/// A join, with all that is needed to hold it to its declaration.
#[derive(Clone, Debug)]
pub struct Join {
    /// The relation that is joined.
    pub to: String,
    pub span: Span,
    pub kind: JoinKind,
    pub expect: Expect,
    pub unmatched: Unmatched,
    /// The left side's rows, and the right side's with its columns named `right.<name>`.
    pub left: Relation,
    pub right: Relation,
    pub on: Expr,
    /// Pairs of equal columns (left, right); empty where the condition is something else.
    pub keys: Vec<(String, String)>,
    /// Why the right side's key is unique, if that is proven; and the left side's.
    pub right_unique: Option<String>,
    pub left_unique: Option<String>,
    /// The rows after the join.
    pub after: Relation,
    /// The hidden column that is not NULL where a partner was found.
    pub matched: String,
    /// Whether it holds a number of the partner that no other right row has.
    pub numbered: bool,
}

/// How many rows of one side belong to one row of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    OneToOne,
    ManyToOne,
    OneToMany,
    ManyToMany,
}

impl Expect {
    const NAMES: &[(&str, Expect)] = &[
        ("one_to_one", Expect::OneToOne),
        ("many_to_one", Expect::ManyToOne),
        ("one_to_many", Expect::OneToMany),
        ("many_to_many", Expect::ManyToMany),
    ];

    pub fn name(self) -> &'static str {
        Expect::NAMES.iter().find(|(_, e)| *e == self).map_or("", |(name, _)| name)
    }

    /// Whether a left row has at most one partner.
    pub fn one_on_the_right(self) -> bool {
        matches!(self, Expect::OneToOne | Expect::ManyToOne)
    }

    /// Whether a right row has at most one partner.
    pub fn one_on_the_left(self) -> bool {
        matches!(self, Expect::OneToOne | Expect::OneToMany)
    }
}

/// What happens to left rows without a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    Keep,
    Drop,
    Error,
}

const KEYS: &[&str] = &["to", "on", "type", "expect", "unmatched", "columns"];

impl Clause for JoinClause {
    fn keyword(&self) -> &'static str {
        "join"
    }

    fn summary(&self) -> &'static str {
        "columns of other relations, each join with a declared cardinality"
    }

    fn reads(&self, body: &Node) -> Vec<Spanned<String>> {
        let to = |node: &Node| match &node.value {
            Value::Map(map) => map.get("to").and_then(|n| n.expect_text("`to`", &mut Diagnostics::default())),
            _ => None,
        };
        items(body).into_iter().filter_map(to).collect()
    }

    fn lower(&self, body: Option<&Node>, mut flow: Flow, cx: &mut Lowering) -> Option<Flow> {
        for (number, item) in items(body?).into_iter().enumerate() {
            let map = item.expect_map("a join", cx.out)?;
            map.only("a join", KEYS, cx.out);
            flow = one(number, item, map, flow, cx)?;
        }
        Some(flow)
    }
}

fn items(body: &Node) -> Vec<&Node> {
    match &body.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![body],
    }
}

fn one(number: usize, item: &Node, map: &Map, flow: Flow, cx: &mut Lowering) -> Option<Flow> {
    let Some(to) = map.get("to").and_then(|n| n.expect_text("`to`", cx.out)) else {
        cx.out.error("E0202", item.span, "a join has no `to`").help("Name the relation: `- {to: stores, on: store_id}`.");
        return None;
    };
    let read = cx.relations.get(&to.value)?.clone();
    let mut right = super::from::read_relation(&to.value, &read);
    let kind = word(map, "type", &[("left", JoinKind::Left), ("inner", JoinKind::Inner), ("full", JoinKind::Full)], cx)?
        .unwrap_or(JoinKind::Left);
    let expect = word(map, "expect", Expect::NAMES, cx)?.unwrap_or(Expect::ManyToOne);
    let usual = if kind == JoinKind::Inner { Unmatched::Drop } else { Unmatched::Keep };
    let words = [("keep", Unmatched::Keep), ("drop", Unmatched::Drop), ("error", Unmatched::Error)];
    let unmatched = word(map, "unmatched", &words, cx)?.unwrap_or(usual);
    // The right side's columns get names of their own, so that both sides can be spoken of.
    let matched = format!("#matched.{number}");
    let mut exprs: Vec<(String, Expr)> =
        right.columns.iter().map(|c| (right_name(&c.name), Expr::column(&c.name, to.span))).collect();
    right.keys = keys::projected(&right.keys, &exprs);
    let numbered = right.origin.order(&right.columns) == [ROW];
    exprs.push((matched.clone(), if numbered { Expr::column(ROW, to.span) } else { Expr::boolean(true, to.span) }));
    // A row of the right side alone comes from there.
    let elsewhere = right.origin.source.clone().filter(|_| kind == JoinKind::Full);
    let elsewhere = elsewhere.map(|source| (format!("#other.{}", flow.origin.others.len()), source));
    exprs.extend(elsewhere.iter().map(|(column, _)| (column.clone(), Expr::column(ROW, to.span))));
    right.relation = right.relation.project(exprs);
    for column in &mut right.columns {
        column.name = right_name(&column.name);
    }
    let condition = condition(map, item, &flow, &right, expect, cx)?;
    let pairs: Vec<(String, String)> = condition.pairs.iter().map(|(l, r)| (l.value.clone(), right_name(r))).collect();
    let columns = wanted(map, &read, &condition, kind, &flow, cx)?;
    let (left_keys, right_keys): (Vec<String>, Vec<String>) = pairs.iter().cloned().unzip();
    let why = |keys: &[keys::Key], columns: &[String]| keys::proof(keys, columns).map(|k| k.why.clone());
    let effective = match (kind, unmatched) {
        (JoinKind::Left, Unmatched::Drop) => JoinKind::Inner,
        (kind, _) => kind,
    };
    let joined = Relation::Join {
        left: Box::new(flow.relation.clone()),
        right: Box::new(right.relation.clone()),
        kind: effective,
        on: condition.on.clone(),
    };
    let mut join = Join {
        to: to.value.clone(),
        span: item.span,
        kind: effective,
        expect,
        unmatched,
        left: flow.relation.clone(),
        right: right.relation.clone(),
        on: condition.on,
        right_unique: why(&right.keys, &right_keys),
        left_unique: why(&flow.keys, &left_keys),
        keys: pairs,
        after: Relation::scan(""),
        matched: matched.clone(),
        numbered,
    };
    let mut out = flow;
    // Left keys stay keys where no left row is repeated.
    if !expect.one_on_the_right() {
        out.keys.clear();
    }
    // A full join adds right rows that may be alike: with NULL in the left side's columns, except in keys of the same name, which are theirs.
    if kind == JoinKind::Full {
        let shared = |column: &String| condition.pairs.iter().any(|(l, r)| l.value == *column && r == column);
        out.keys
            .retain(|key| !key.columns.iter().all(shared) || join.right_unique.is_some() && key.columns.len() == left_keys.len());
    }
    let mut exprs = vec![];
    let mut fields = vec![];
    for column in &out.columns {
        let here = Expr::column(&column.name, item.span);
        let same = condition.pairs.iter().find(|(l, r)| kind == JoinKind::Full && l.value == column.name && *r == column.name);
        // In a full join the key is whichever side's there is.
        let expr = match same {
            Some(_) => Expr::call("coalesce", vec![here, Expr::column(right_name(&column.name), item.span)], item.span),
            None => here,
        };
        exprs.push((column.name.clone(), expr));
        fields.push(column.clone());
    }
    for (name, from) in columns {
        let source = right.columns.iter().find(|c| c.name == right_name(&from))?;
        exprs.push((name.clone(), Expr::column(&source.name, item.span)));
        fields.push(Column { name, ..source.clone() });
    }
    out.hidden.push(matched);
    out.hidden.extend(elsewhere.iter().map(|(column, _)| column.clone()));
    out.origin.others.extend(elsewhere);
    exprs.extend(out.hidden.iter().map(|h| (h.clone(), Expr::column(h, item.span))));
    out.relation = joined.project(exprs);
    out.columns = fields;
    out.ordered = false;
    // Rows with several partners, and rows of the right side alone, are not told apart by where the left ones come from.
    out.origin.shared |= !expect.one_on_the_right() || kind == JoinKind::Full;
    out.open |= right.open;
    join.after = out.relation.clone();
    out.step("join", item.span, Change::Join(Box::new(join)));
    Some(out)
}

fn right_name(name: &str) -> String {
    format!("right.{name}")
}

/// What a join is on.
struct Condition {
    on: Expr,
    /// Equal columns by name: left, right.
    pairs: Vec<(Spanned<String>, String)>,
}

fn condition(map: &Map, item: &Node, left: &Flow, right: &Flow, expect: Expect, cx: &mut Lowering) -> Option<Condition> {
    let Some(on) = map.get("on") else {
        cx.out
            .error("E0601", item.span, "a join has no `on`: every row would meet every other")
            .help("Name the key: `on: transaction_id`, `on: {left_name: right_name}`, or a condition over `left.` and `right.`.")
            .help("Where every pair is wanted, declare it: `on: true, expect: many_to_many`.");
        return None;
    };
    let pairs: Vec<(Spanned<String>, Spanned<String>)> = match &on.value {
        Value::Boolean(true) if expect == Expect::ManyToMany => {
            return Some(Condition { on: Expr::boolean(true, on.span), pairs: vec![] });
        }
        Value::Boolean(_) => {
            cx.out
                .error("E0606", on.span, "`on` names no key: every row would meet every other, or none")
                .help("Name the key, or declare that every pair is wanted: `{to: ..., on: true, expect: many_to_many}`.");
            return None;
        }
        Value::Map(pairs) => {
            let pair = |(l, r): &(Spanned<String>, Node), out: &mut Diagnostics| Some((l.clone(), r.expect_text("a key", out)?));
            pairs.entries.iter().map(|e| pair(e, cx.out)).collect::<Option<_>>()?
        }
        Value::List(_) => on.expect_names("`on`", cx.out)?.into_iter().map(|n| (n.clone(), n)).collect(),
        _ => {
            let text = on.expect_text("`on`", cx.out)?;
            let plain = text.value.chars().all(|c| c.is_alphanumeric() || c == '_');
            if !plain {
                return free_condition(&text, left, right, cx);
            }
            vec![(text.clone(), text)]
        }
    };
    let mut found = vec![];
    let mut on: Option<Expr> = None;
    for (l, r) in pairs {
        let left_column = key_column(&l, left, "left", cx);
        let wanted = Spanned::new(right_name(&r.value), r.span);
        let right_column = key_column(&wanted, right, "right", cx);
        let (left_column, right_column) = (left_column?, right_column?);
        comparable(&l, &left_column, &right_column, cx)?;
        let equal = Expr::column(&left_column.name, l.span).binary(BinaryOp::Equal, Expr::column(&right_column.name, r.span));
        on = Some(on.map_or(equal.clone(), |all| all.and(equal)));
        found.push((Spanned::new(left_column.name, l.span), right_column.name.trim_start_matches("right.").to_string()));
    }
    Some(Condition { on: on?, pairs: found })
}

fn key_column(name: &Spanned<String>, side: &Flow, which: &str, cx: &mut Lowering) -> Option<Column> {
    if let Some(column) = side.column(&name.value) {
        return Some(column.clone());
    }
    let bare = |name: &str| name.trim_start_matches("right.").to_string();
    let names: Vec<String> = side.columns.iter().map(|c| bare(&c.name)).collect();
    let listed: Vec<&str> = names.iter().map(String::as_str).collect();
    cx.out
        .error("E0602", name.span, format!("the {which} side of the join has no column `{}`", bare(&name.value)))
        .suggest(&bare(&name.value), listed.iter().copied())
        .help(format!("Its columns are {}.", super::resolve::listing(&listed)));
    None
}

/// Refuses keys that could only be equal after a conversion that nobody asked for.
fn comparable(at: &Spanned<String>, left: &Column, right: &Column, cx: &mut Lowering) -> Option<()> {
    let (l, r) = (&left.data_type, &right.data_type);
    if l.compares_with(r) {
        return Some(());
    }
    let right_name = right.name.trim_start_matches("right.");
    cx.out
        .error(
            "E0603",
            at.span,
            format!("the keys have different types: `{}` is {l}, `{right_name}` on the right is {r}", left.name),
        )
        .help(format!(
            "Cast one of them where it is made, for example `derive: {{{right_name}: {right_name}::{l}}}` in the right table."
        ));
    None
}

fn free_condition(text: &Spanned<String>, left: &Flow, right: &Flow, cx: &mut Lowering) -> Option<Condition> {
    // `left.` is what has been joined so far, under its own names; `right.` is the new relation.
    let mut both = left.clone();
    both.columns = left.columns.iter().map(|c| Column { name: format!("left.{}", c.name), ..c.clone() }).collect();
    both.columns.extend(right.columns.iter().cloned());
    let mut on = cx.parse(text)?;
    on = cx.resolve(on, &both)?;
    let mut sides = (false, false);
    strip_left(&mut on, &mut sides);
    if sides != (true, true) {
        cx.out
            .error("E0604", text.span, "the condition does not compare the two sides: every row would meet many others")
            .help("Compare a column of `left.` with one of `right.`.");
        return None;
    }
    let mut pairs = vec![];
    let equi = equal_pairs(&on, &mut pairs);
    let pairs = if equi { pairs.into_iter().map(|(l, r)| (Spanned::new(l, text.span), r)).collect() } else { vec![] };
    let types = |name: &str| left.column(name).or(right.column(name)).map(|c| c.data_type.clone());
    if !matches!(typing::type_of(&on, &types), DataType::Boolean | DataType::Unknown) {
        cx.out.error("E0424", text.span, "the condition of the join is not a boolean");
        return None;
    }
    Some(Condition { on, pairs })
}

/// Gives the left side's columns their own names back, and notes which sides occur.
fn strip_left(expr: &mut Expr, sides: &mut (bool, bool)) {
    if let ExprKind::Column(name) = &mut expr.kind {
        if let Some(own) = name.strip_prefix("left.") {
            *name = own.to_string();
            sides.0 = true;
        } else if name.starts_with("right.") {
            sides.1 = true;
        }
    }
    for child in expr.children_mut() {
        strip_left(child, sides);
    }
}

/// Collects the pairs of a condition that is nothing but equalities between the sides.
fn equal_pairs(on: &Expr, into: &mut Vec<(String, String)>) -> bool {
    let right = |name: &str| name.strip_prefix("right.").map(String::from);
    match &on.kind {
        ExprKind::Binary(a, BinaryOp::And, b) => equal_pairs(a, into) && equal_pairs(b, into),
        ExprKind::Binary(a, BinaryOp::Equal, b) => match (&a.kind, &b.kind) {
            (ExprKind::Column(a), ExprKind::Column(b)) => match (right(a), right(b)) {
                (None, Some(r)) => {
                    into.push((a.clone(), r));
                    true
                }
                (Some(r), None) => {
                    into.push((b.clone(), r));
                    true
                }
                _ => false,
            },
            _ => false,
        },
        _ => false,
    }
}

/// The columns that come from the right: new name and name there.
fn wanted(
    map: &Map,
    right: &Flow,
    condition: &Condition,
    kind: JoinKind,
    left: &Flow,
    cx: &mut Lowering,
) -> Option<Vec<(String, String)>> {
    let names: Vec<&str> = right.columns.iter().map(|c| c.name.as_str()).collect();
    let mut chosen: Vec<(Spanned<String>, String)> = vec![];
    let mut add = |new: Spanned<String>, from: Spanned<String>, cx: &mut Lowering| {
        if !names.contains(&from.value.as_str()) {
            cx.out
                .error("E0602", from.span, format!("the right side of the join has no column `{}`", from.value))
                .suggest(&from.value, names.iter().copied());
            return None;
        }
        chosen.push((new, from.value));
        Some(())
    };
    match map.get("columns") {
        Some(Node { value: Value::Map(renamed), .. }) => {
            for (new, from) in &renamed.entries {
                let from = from.expect_text("a column", cx.out)?;
                add(new.clone(), from, cx)?;
            }
        }
        Some(node) => {
            for name in node.expect_names("`columns`", cx.out)? {
                add(name.clone(), name, cx)?;
            }
        }
        None => {
            let span = map.get("to").map_or(cx.table.name.span, |n| n.span);
            for column in &right.columns {
                let key = condition.pairs.iter().any(|(_, r)| *r == column.name);
                if !key {
                    chosen.push((Spanned::new(column.name.clone(), span), column.name.clone()));
                }
            }
        }
    }
    let _ = kind;
    let mut seen: Vec<&str> = left.columns.iter().map(|c| c.name.as_str()).collect();
    for (new, _) in &chosen {
        if seen.iter().any(|s| s.eq_ignore_ascii_case(&new.value)) {
            cx.out
                .error("E0605", new.span, format!("both sides of the join have a column `{}`", new.value))
                .help(format!("Say what to take and under which name: `columns: {{right_{0}: {0}}}`.", new.value));
            return None;
        }
        seen.push(&new.value);
    }
    Some(chosen.iter().map(|(new, from)| (new.value.clone(), from.clone())).collect())
}

fn word<T: Copy>(map: &Map, key: &str, words: &[(&str, T)], cx: &mut Lowering) -> Option<Option<T>> {
    let Some(node) = map.get(key) else { return Some(None) };
    let text = node.expect_text(&format!("`{key}`"), cx.out)?;
    if let Some((_, found)) = words.iter().find(|(name, _)| *name == text.value) {
        return Some(Some(*found));
    }
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    cx.out
        .error("E0206", text.span, format!("`{key}` is {}, not `{}`", names.join(", "), text.value))
        .suggest(&text.value, names.iter().copied());
    None
}
