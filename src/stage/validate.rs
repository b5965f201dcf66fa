//! `validate:` and the contract of the loaded table: what must hold of the rows.
//!
//! Row checks become bits of the hidden words `#bad0`, `#bad1`, ... in the same scan that stages the table; for each column only the
//! first broken rule counts (a value that is no number is not also out of range). Other checks are judged by the engine afterwards.

use std::sync::Arc;

use super::flow::{Change, Flow};
use super::texts;
use super::unfilled::{self, Fate};
use super::{Clause, Lowering, TableContext};
use crate::check::{self, Check, Declared, Measure, Tolerance};
use crate::diagnostics::{Severity, Span};
use crate::expr::{BinaryOp, Expr, ExprKind};
use crate::spec::yaml::Node;
use crate::types::DataType;

/// How many checks one word of bits holds.
const BITS: usize = 62;

pub struct Validate;
pub struct OnFailure;

/// A check with its place in the staged table.
#[derive(Clone, Debug)]
pub struct PlannedCheck {
    pub declared: Declared,
    pub measure: Measure,
    /// For a row check: the word `#bad<word>` and its bit.
    pub bit: Option<(usize, u32)>,
}

impl Clause for Validate {
    fn keyword(&self) -> &'static str {
        "validate"
    }

    fn summary(&self) -> &'static str {
        "what must hold of the rows, besides the target's own constraints"
    }

    fn implied(&self, _: &TableContext) -> bool {
        true
    }

    fn lower(&self, body: Option<&Node>, mut flow: Flow, cx: &mut Lowering) -> Option<Flow> {
        let mut declared = casts(&flow, cx);
        for contract in cx.table.contracts.clone() {
            for column in contract.columns.iter().filter(|c| flow.column(&c.name).is_some()) {
                declared.extend(cx.target.column_checks(column));
            }
            declared.extend(contract.checks.iter().cloned().map(|d| cx.target.adapt(d, &contract)));
            declared.extend(cx.target.table_checks(&contract));
        }
        if let Some(body) = body {
            let body = super::validate_templates::rendered(body, cx);
            declared.extend(check::decode_list(&body, cx.out));
        }
        declared.extend(super::scope::checks(&flow, cx));
        if declared.is_empty() {
            return Some(flow);
        }
        for declared in declared {
            if let Some(measure) = self.resolve(&declared, &flow, cx) {
                flow.checks.push(PlannedCheck { declared, measure, bit: None });
            }
        }
        mark(&mut flow, body.map_or(cx.table.name.span, |b| b.span), cx);
        flow.step(self.keyword(), body.map_or(cx.table.name.span, |b| b.span), Change::Judge);
        Some(flow)
    }
}

impl Validate {
    /// Looks up the columns of a check; one that the table does not fill is judged only if the author asked for it.
    fn resolve(&self, declared: &Declared, flow: &Flow, cx: &mut Lowering) -> Option<Measure> {
        let columns = declared.check.columns();
        let contract = cx.table.contract.clone().filter(|_| declared.enforced);
        let missing = columns.iter().any(|c| flow.column(c).is_none());
        let measure =
            match contract.filter(|_| missing).map(|c| unfilled::fate(declared, &c, &|name| flow.column(name).is_some())) {
                None if missing && declared.enforced => return None,
                None => declared.check.measure(),
                Some(Fate::Judged(measure)) => *measure,
                Some(Fate::Harmless | Fate::Unjudged) => return None,
            };
        // A column that only `derive` had is gone by now; what its cast left behind is still here.
        let left_behind =
            matches!(declared.check.measure(), Measure::Row(Expr { kind: ExprKind::Column(c), .. }) if c.starts_with('#'));
        // A condition names its columns at their places; other checks name each in several parts of what is measured.
        let placed = left_behind || declared.check.rule() == "expr";
        // What the load does not write has become a constant.
        let written = |name: &String| !declared.enforced || flow.column(name).is_some();
        for name in columns.into_iter().filter(|name| !placed && written(name)) {
            cx.resolve(Expr::new(ExprKind::Name(vec![name]), declared.span), flow)?;
        }
        let mut look_up = |expr: Expr| cx.resolve(expr, flow);
        Some(match measure {
            Measure::Row(expr) => Measure::Row(look_up(expr)?),
            Measure::Unique(mut key) => {
                key.parts = key.parts.into_iter().map(&mut look_up).collect::<Option<_>>()?;
                key.surely = key.surely.into_iter().map(&mut look_up).collect::<Option<_>>()?;
                key.only_where = match key.only_where {
                    Some(condition) => Some(look_up(condition)?),
                    None => None,
                };
                Measure::Unique(key)
            }
            other => other,
        })
    }
}

/// A cast of `map` or `derive` that must not fail.
#[derive(Debug)]
struct Casts {
    column: String,
    /// The column that its stage left behind: TRUE where the value would not cast.
    hidden: String,
    span: Span,
    to: DataType,
    rule: &'static str,
}

impl Check for Casts {
    fn rule(&self) -> &'static str {
        self.rule
    }

    fn columns(&self) -> Vec<String> {
        vec![self.column.clone()]
    }

    fn measure(&self) -> Measure {
        Measure::Row(Expr::column(&self.hidden, self.span))
    }

    fn allowed(&self) -> String {
        match self.rule {
            // A column that only `derive` had has no type here any more.
            "type" if self.to == DataType::Unknown => "a value that casts to its `type`".to_string(),
            "type" => format!("a value of type {}", self.to),
            _ => "a value that the mapping lists".to_string(),
        }
    }

    fn suggest(&self, value: &str) -> Option<String> {
        match &self.to {
            DataType::Decimal(Some((_, scale))) if value.parse::<f64>().is_ok() => {
                Some(format!("The column keeps {scale} digits after the point and does not round: write `round({}, {scale})` if you want that.", self.column))
            }
            to if to.is_integer() && value.trim().parse::<i128>().is_ok() => Some(format!("It is out of the range of {to}: is a wider type meant?")),
            to if to.is_integer() && value.trim().starts_with(|c: char| c.is_ascii_digit()) => {
                Some("`parse: leading_number` takes the number at the start of a text.".to_string())
            }
            DataType::Date if value.contains(['/', '.']) => Some("`parse: {date: \"%d/%m/%Y\"}` reads other ways to write a date.".to_string()),
            DataType::Timestamp(_) if value.contains(':') => {
                Some("A text with a zone is an instant: give the column the type `timestamptz`, or drop the zone with `left(column, 19)`.".to_string())
            }
            _ => None,
        }
    }
}

/// The checks of all casts that may fail, and of mappings with `unmapped: error`.
fn casts(flow: &Flow, cx: &Lowering) -> Vec<Declared> {
    let mut found = vec![];
    for hidden in &flow.hidden {
        for (label, rule) in [("#pinned.", "type"), ("#fails.", "type"), ("#unmapped.", "values")] {
            let Some(column) = hidden.strip_prefix(label) else { continue };
            let span = cx.written_at(column).unwrap_or(cx.table.name.span);
            let to = flow.column(column).map_or(DataType::Unknown, |c| c.data_type.clone());
            let check: Arc<dyn Check> = Arc::new(Casts { column: column.to_string(), hidden: hidden.clone(), span, to, rule });
            found.push(Declared {
                check,
                name: None,
                severity: Severity::Error,
                tolerance: Tolerance::Rows(0),
                why: None,
                span,
                enforced: false,
            });
        }
    }
    found
}

/// Gives each row check its bit and adds the words to the relation.
fn mark(flow: &mut Flow, span: Span, cx: &Lowering) {
    let mut chains: Vec<(String, Vec<(Expr, usize)>)> = vec![];
    let mut next = 0;
    for check in &mut flow.checks {
        let Measure::Row(condition) = &check.measure else { continue };
        let at = next;
        next += 1;
        check.bit = Some((at / BITS, (at % BITS) as u32));
        if texts::is_never_true(condition, &flow.relation, cx) {
            continue;
        }
        // Checks of one column form a chain of which the first broken one counts; a check of several stands alone.
        let columns = check.declared.check.columns();
        let chain = match &columns[..] {
            [one] => one.clone(),
            _ => format!("#{at}"),
        };
        match chains.iter_mut().find(|(name, _)| *name == chain) {
            Some((_, links)) => links.push((condition.clone(), at)),
            None => chains.push((chain, vec![(condition.clone(), at)])),
        }
    }
    flow.words = next.div_ceil(BITS);
    if flow.words == 0 {
        return;
    }
    let mut exprs: Vec<(String, Expr)> =
        flow.columns.iter().map(|c| &c.name).chain(&flow.hidden).map(|c| (c.clone(), Expr::column(c, span))).collect();
    for word in 0..flow.words {
        let mut sum = Expr::number(0, span).cast(DataType::BigInt);
        for (_, links) in &chains {
            let mine = |at: &usize| at / BITS == word;
            if !links.iter().any(|(_, at)| mine(at)) {
                continue;
            }
            let value = |at: &usize| if mine(at) { 1_u64 << (at % BITS) } else { 0 };
            let branches = links.iter().map(|(fails, at)| (fails.clone(), Expr::number(value(at), span))).collect();
            sum = sum.binary(BinaryOp::Add, Expr::case(branches, Expr::number(0, span), span));
        }
        let name = format!("#bad{word}");
        exprs.push((name.clone(), sum));
        flow.hidden.push(name);
    }
    flow.relation = flow.relation.clone().project(exprs);
}

impl Clause for OnFailure {
    fn keyword(&self) -> &'static str {
        "on_failure"
    }

    fn summary(&self) -> &'static str {
        "stop (default), or quarantine the rows that break a rule"
    }

    fn lower(&self, body: Option<&Node>, flow: Flow, cx: &mut Lowering) -> Option<Flow> {
        let choice = body?.expect_text("`on_failure`", cx.out)?;
        if !["stop", "quarantine"].contains(&choice.value.as_str()) {
            cx.out
                .error("E0206", choice.span, format!("`on_failure` is stop or quarantine, not `{}`", choice.value))
                .suggest(&choice.value, ["stop", "quarantine"]);
            return None;
        }
        Some(flow)
    }
}

/// Tells whether a table's failing rows go to quarantine.
pub fn on_failure(clauses: &crate::spec::yaml::Map) -> bool {
    let text = clauses.get("on_failure").and_then(|n| n.expect_text("`on_failure`", &mut Default::default()));
    text.is_some_and(|t| t.value == "quarantine")
}
