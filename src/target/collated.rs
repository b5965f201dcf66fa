//! Constraints with the meaning that the collations of their columns give them.
//!
//! In: keys and conditions over a contract's columns. Out: the same over forms of the texts. What a collation may or may not take for equal is
//! judged on the side on which nothing passes that the database would refuse: a key repeats if two texts may be equal, a condition that asks for
//! equality holds only if they surely are.
//! Does not know which texts are equal.

use std::sync::Arc;

use super::collation::{Collation, Equality, USUAL};
use super::pattern;
use crate::check::{Check, Measure};
use crate::contract::pattern::{CLASSES, COLLATE};
use crate::contract::{Column, Contract};
use crate::diagnostics::Span;
use crate::expr::{BinaryOp, Expr, ExprKind, Literal};

/// Brings a part of a key into the form in which texts are the same that are equal, if it is text.
pub(super) fn key_of(part: Expr, contract: &Contract, equality: Equality) -> Expr {
    if is_text(&part, contract) { collation(&[&part], contract).form(part, equality) } else { part }
}

/// The form of a column's values in which those are the same that are surely equal, if they are text.
pub(super) fn column(name: &str, span: Span, contract: &Contract) -> Option<Expr> {
    let column = Expr::column(name, span);
    is_text(&column, contract).then(|| key_of(column, contract, Equality::Sure))
}

/// Gives the comparisons of a condition the collations' meaning; where that is in doubt, the condition holds.
pub(super) fn condition(expr: Expr, contract: &Contract) -> Expr {
    let pass = |expr: Expr, unknown: Equality| {
        let mut reading = Reading { contract, unknown, met: false };
        let read = reading.read(expr, Some(true));
        (read, reading.met)
    };
    let read = match pass(expr.clone(), Equality::Possible) {
        (read, false) => read,
        // Which way a comparison turns the whole is not seen from here: both are tried.
        (read, true) => read.or(pass(expr, Equality::Sure).0),
    };
    without_collate(read)
}

/// Leaves out what the engine does not know and what has been read.
fn without_collate(mut expr: Expr) -> Expr {
    if let ExprKind::Call(call) = &mut expr.kind
        && call.function == COLLATE
        && !call.arguments.is_empty()
    {
        return without_collate(call.arguments.swap_remove(0));
    }
    expr.children_mut().into_iter().for_each(|child| take(child, without_collate));
    expr
}

struct Reading<'a> {
    contract: &'a Contract,
    /// What comparisons ask for of which nobody knows which way they turn the whole.
    unknown: Equality,
    met: bool,
}

impl Reading<'_> {
    /// Reads an expression that makes the whole true if it is `toward`.
    fn read(&mut self, mut expr: Expr, toward: Option<bool>) -> Expr {
        let contract = self.contract;
        let text = |e: &Expr| is_text(e, contract);
        match &mut expr.kind {
            ExprKind::Unary(crate::expr::UnaryOp::Not, operand) => self.child(operand, toward.map(|t| !t)),
            ExprKind::Binary(left, BinaryOp::And | BinaryOp::Or, right) => {
                self.child(left, toward);
                self.child(right, toward);
            }
            ExprKind::Binary(left, op, right) if is_comparison(*op) && (text(left) || text(right)) => {
                let collation = collation(&[left, right], contract);
                let differs = matches!(op, BinaryOp::NotEqual | BinaryOp::IsDistinctFrom);
                let equality = self.equality(toward.map(|t| t != differs));
                for side in [left, right] {
                    self.child(side, None);
                    take(side, |e| collation.form(e, equality));
                }
            }
            ExprKind::InList { operand, list, negated } if text(operand) => {
                let collation = collation(&[operand], contract);
                let equality = self.equality(toward.map(|t| t != *negated));
                self.child(operand, None);
                take(operand, |e| collation.form(e, equality));
                list.iter_mut().for_each(|item| take(item, |e| collation.form(e, equality)));
            }
            ExprKind::Between { operand, low, high, .. } if text(operand) => {
                let collation = collation(&[operand], contract);
                [operand, low, high].into_iter().for_each(|e| take(e, |e| collation.form(e, Equality::Possible)));
            }
            ExprKind::Like { operand, pattern, escape, ignore_case, negated: false } => {
                let collation = collation(&[operand], contract);
                let equality = self.equality(toward);
                let like = Like { pattern: (**pattern).clone(), escape: *escape, ignore_case: *ignore_case };
                return like.read(operand, &collation, equality);
            }
            ExprKind::Call(call) if call.function == "nullif" => {
                if let [text, other] = call.arguments.as_slice()
                    && (is_text(text, contract) || is_text(other, contract))
                {
                    let same = text.clone().binary(BinaryOp::Equal, other.clone());
                    let kept = self.read(text.clone(), None);
                    return Expr::case(vec![(self.read(same, None), Expr::null(expr.span))], kept, expr.span);
                }
            }
            ExprKind::Case { operand: Some(operand), branches, otherwise } if text(operand) => {
                let same = |when: &Expr| (**operand).clone().binary(BinaryOp::Equal, when.clone());
                let branches = branches.iter().map(|(when, then)| (same(when), then.clone())).collect();
                let (otherwise, span) = (otherwise.take(), expr.span);
                return self.read(Expr::new(ExprKind::Case { operand: None, branches, otherwise }, span), toward);
            }
            ExprKind::Call(call) if call.function == "length" => {
                // LEN does not count spaces at the end, which tells it from a length in an author's own words.
                if let [Expr { kind: ExprKind::Call(inner), .. }] = call.arguments.as_slice()
                    && let ("rtrim", [text, _]) = (inner.function.as_str(), inner.arguments.as_slice())
                {
                    let collation = collation(&[text], contract);
                    return collation.length(&call.arguments.swap_remove(0));
                }
            }
            ExprKind::Call(call) if call.function == CLASSES => {
                if let [text, like] = call.arguments.as_slice() {
                    return pattern::matches(text, like, &collation(&[text], contract));
                }
            }
            ExprKind::Like { negated, .. } => {
                *negated = false;
                return self.read(expr, toward.map(|t| !t)).negate();
            }
            _ => expr.children_mut().into_iter().for_each(|child| self.child(child, None)),
        }
        expr
    }

    fn child(&mut self, child: &mut Expr, toward: Option<bool>) {
        take(child, |child| self.read(child, toward));
    }

    /// What an equality asks for that makes the whole true if it is `toward`.
    fn equality(&mut self, toward: Option<bool>) -> Equality {
        self.met |= toward.is_none();
        match toward {
            Some(true) => Equality::Possible,
            Some(false) => Equality::Sure,
            None => self.unknown,
        }
    }
}

/// What a text is matched with.
struct Like {
    pattern: Expr,
    escape: Option<char>,
    ignore_case: bool,
}

impl Like {
    fn read(&self, operand: &Expr, collation: &Collation, equality: Equality) -> Expr {
        let span = operand.span;
        let matched = |operand: Expr, pattern: Expr| {
            let (operand, pattern) = (Box::new(operand), Box::new(pattern));
            let (escape, ignore_case) = (self.escape, self.ignore_case);
            Expr::new(ExprKind::Like { operand, pattern, escape, ignore_case, negated: false }, span)
        };
        let sure = matched(collation.pattern(operand.clone()), collation.pattern(self.pattern.clone()));
        // A sign of a pattern stands for one UTF-16 unit, of which the engine knows nothing.
        let counts = matches!(&self.pattern.kind, ExprKind::Literal(Literal::Text(text)) if !text.contains('_'));
        let beyond = Expr::call("regexp_matches", vec![operand.clone(), Expr::text("[\\x{10000}-\\x{10FFFF}]", span)], span);
        match equality {
            Equality::Sure if counts => sure,
            Equality::Sure => sure.and(beyond.negate()),
            Equality::Possible => {
                let spaces = Expr::call("rtrim", vec![operand.clone(), Expr::text(" ", span)], span);
                let bare = matched(collation.pattern(spaces), collation.pattern(self.pattern.clone()));
                let possible =
                    matched(collation.possible_pattern(operand.clone()), collation.possible_pattern(self.pattern.clone()));
                let found = sure.or(bare).or(possible);
                if counts { found } else { found.or(beyond) }
            }
        }
    }
}

fn take(place: &mut Expr, change: impl FnOnce(Expr) -> Expr) {
    let taken = std::mem::replace(place, Expr::null(place.span));
    *place = change(taken);
}

fn is_comparison(op: BinaryOp) -> bool {
    is_ordering(op) || matches!(op, BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::IsDistinctFrom | BinaryOp::IsNotDistinctFrom)
}

fn is_ordering(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Less | BinaryOp::LessOrEqual | BinaryOp::Greater | BinaryOp::GreaterOrEqual)
}

/// Tells whether a condition asks which of two texts comes first.
pub(super) fn orders_texts(expr: &Expr, contract: &Contract) -> bool {
    let mut found = false;
    expr.walk(&mut |e| {
        found |= match &e.kind {
            ExprKind::Binary(left, op, right) => is_ordering(*op) && (is_text(left, contract) || is_text(right, contract)),
            ExprKind::Between { operand, .. } => is_text(operand, contract),
            _ => false,
        };
    });
    found
}

/// The text columns that an expression reads.
pub(super) fn texts<'a>(expr: &Expr, contract: &'a Contract) -> Vec<&'a Column> {
    let mut found = vec![];
    expr.walk(&mut |e| {
        let name = match &e.kind {
            ExprKind::Column(name) => Some(name),
            ExprKind::Name(parts) => parts.last(),
            _ => None,
        };
        found.extend(name.and_then(|n| contract.column(n)).filter(|c| c.data_type.is_text()));
    });
    found
}

/// The collation that expressions are compared by: the one that they name, else that of the column that they read.
fn collation(exprs: &[&Expr], contract: &Contract) -> Collation {
    let mut named = None;
    for expr in exprs {
        expr.walk(&mut |e| match &e.kind {
            ExprKind::Call(call) if call.function == COLLATE && named.is_none() => named = call.arguments.get(1),
            _ => {}
        });
    }
    if let Some(Expr { kind: ExprKind::Literal(Literal::Text(name)), .. }) = named {
        return Collation::parse(name).unwrap_or_else(Collation::usual);
    }
    let column = exprs.iter().find_map(|e| texts(e, contract).into_iter().next());
    column.map_or_else(Collation::usual, Collation::of)
}

/// Tells whether an expression is surely text: a text column, or what text functions make.
fn is_text(expr: &Expr, contract: &Contract) -> bool {
    const TEXT: &[&str] =
        &["lower", "upper", "trim", "ltrim", "rtrim", "left", "right", "substring", "replace", "concat", "concat_ws"];
    const FIRST: &[&str] = &["coalesce", "nullif", "ifnull", "greatest", "least", "min", "max", COLLATE];
    let text = |e: &Expr| is_text(e, contract);
    match &expr.kind {
        ExprKind::Column(_) | ExprKind::Name(_) => !texts(expr, contract).is_empty(),
        ExprKind::Call(call) if FIRST.contains(&call.function.as_str()) => call.arguments.iter().any(text),
        ExprKind::Call(call) => TEXT.contains(&call.function.as_str()),
        ExprKind::Cast { to, .. } => to.is_text(),
        ExprKind::Case { branches, otherwise, .. } => {
            branches.iter().any(|(_, then)| text(then)) || otherwise.as_ref().is_some_and(|e| text(e))
        }
        ExprKind::Binary(_, BinaryOp::Concat, _) => true,
        _ => false,
    }
}

/// A check whose comparisons have the collations' meaning; all else is as declared.
#[derive(Clone, Debug)]
pub(super) struct Collated {
    declared: Arc<dyn Check>,
    measure: Measure,
    /// The collations that decide, of a key.
    named: Vec<String>,
}

impl Collated {
    pub(super) fn new(declared: Arc<dyn Check>, measure: Measure) -> Collated {
        Collated { declared, measure, named: vec![] }
    }

    /// Says by which collations these columns are compared.
    pub(super) fn of_key(declared: Arc<dyn Check>, measure: Measure, contract: &Contract) -> Collated {
        let mut named = vec![];
        let columns = declared.columns();
        for column in columns.iter().filter_map(|c| contract.column(c)).filter(|c| c.data_type.is_text()) {
            let name = column.collation.as_deref().unwrap_or(USUAL).to_string();
            if !named.contains(&name) {
                named.push(name);
            }
        }
        Collated { declared, measure, named }
    }
}

impl Check for Collated {
    fn rule(&self) -> &'static str {
        self.declared.rule()
    }

    fn columns(&self) -> Vec<String> {
        self.declared.columns()
    }

    fn measure(&self) -> Measure {
        self.measure.clone()
    }

    fn allowed(&self) -> String {
        match self.named.as_slice() {
            [] => self.declared.allowed(),
            names => format!("{}, as {} compares texts", self.declared.allowed(), names.join(", ")),
        }
    }

    fn suggest(&self, value: &str) -> Option<String> {
        self.declared.suggest(value)
    }
}
