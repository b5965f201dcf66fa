//! `join:`: columns of another relation, with a declared number of partners.
//!
//! Every join says how many rows of one side belong to one of the other (`expect`, by default many_to_one), and is held to it: by proof
//! where the key is known to be unique, else the engine counts before a row is multiplied.

use super::flow::{Change, Column, Flow};
use super::join_condition::{Condition, condition};
use super::keys;
use super::{Clause, Lowering};
use crate::diagnostics::{Diagnostics, Span, Spanned};
use crate::expr::Expr;
use crate::relation::{JoinKind, ROW, Relation};
use crate::spec::yaml::{Map, Node, Value};

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
    /// What the condition demands to be equal: a column or expression of the left side, and one of the right.
    pub equal: Vec<(Expr, Expr)>,
    /// Whether it demands nothing else.
    pub only_equal: bool,
    /// Why the right side's key is unique, if that is proven; and the left side's.
    pub right_unique: Option<String>,
    pub left_unique: Option<String>,
    /// The rows after the join.
    pub after: Relation,
    /// The hidden column that holds a number of the partner that no other right row has; NULL where none was found.
    pub matched: String,
}

impl Join {
    /// The keys by which rows meet; none where equality of keys is not all that the condition demands.
    pub fn keys(&self) -> &[(Expr, Expr)] {
        if self.only_equal { &self.equal } else { &[] }
    }
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
    exprs.push((matched.clone(), if numbered { Expr::column(ROW, to.span) } else { Expr::row_number(to.span) }));
    // A row of the right side alone comes from there.
    let elsewhere = right.origin.source.clone().filter(|_| kind == JoinKind::Full);
    let elsewhere = elsewhere.map(|source| (format!("#other.{}", flow.origin.others.len()), source));
    exprs.extend(elsewhere.iter().map(|(column, _)| (column.clone(), Expr::column(ROW, to.span))));
    right.relation = right.relation.project(exprs);
    for column in &mut right.columns {
        column.name = right_name(&column.name);
    }
    let condition = condition(map, item, &flow, &right, expect, cx)?;
    let columns = wanted(map, &read, &condition, &flow, cx)?;
    // Where more than equality is demanded, equality alone would find no fewer partners: what is unique by it is unique.
    let left_keys: Vec<String> = condition.equal.iter().filter_map(|(l, _)| keys::kept_apart(l)).collect();
    let right_keys: Vec<String> = condition.equal.iter().filter_map(|(_, r)| keys::kept_apart(r)).collect();
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
        equal: condition.equal,
        only_equal: condition.only_equal,
        after: Relation::scan(""),
        matched: matched.clone(),
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

/// The name of a column of the right side within a join.
pub fn right_name(name: &str) -> String {
    format!("right.{name}")
}

/// The name that a column of a join's right side has in its own relation; a left column's name is its own.
pub fn bare(name: &str) -> &str {
    name.strip_prefix("right.").unwrap_or(name)
}

/// The columns that come from the right: new name and name there.
fn wanted(map: &Map, right: &Flow, condition: &Condition, left: &Flow, cx: &mut Lowering) -> Option<Vec<(String, String)>> {
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
