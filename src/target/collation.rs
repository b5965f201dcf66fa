//! Which texts the collation SQL_Latin1_General_CP1_CI_AS takes for equal, and which characters code page 1252 has.
//!
//! In: expressions over a contract's columns. Out: the same with texts brought into a form in which equal ones are the same: without case,
//! without trailing spaces, composed, and without the characters that it does not know (among them all beyond U+FFFF). Accents count.
//! The real rules know more (widths, kana, expansions of many letters): a text that is equal there may still be told apart here.
//! Does not know about targets.

use std::sync::Arc;

use crate::check::{Check, Measure};
use crate::contract::{Column, Contract};
use crate::diagnostics::Span;
use crate::expr::{BinaryOp, Expr, ExprKind, Literal};

/// The characters of code page 1252, as a class of a regular expression.
pub(super) const CODE_PAGE: &str = "\\x{01}-\\x{7F}\\x{A0}-\\x{FF}€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ";

/// Tells whether a character has a place in code page 1252.
pub(super) fn in_code_page(c: char) -> bool {
    matches!(c, '\u{1}'..='\u{7f}' | '\u{a0}'..='\u{ff}') || "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ".contains(c)
}

/// Tells whether a column stores bytes of a code page instead of UTF-16.
pub(super) fn is_code_page(column: &Column) -> bool {
    let name = column.type_name.as_deref().unwrap_or_default().to_lowercase();
    matches!(name.split('(').next().unwrap_or_default().trim(), "varchar" | "char" | "text" | "character" | "character varying")
}

/// Brings a text into the form in which equal texts are the same.
pub(super) fn collated(text: Expr) -> Expr {
    let span = text.span;
    let call = |name: &str, first: Expr, more: &[&str]| {
        let arguments = std::iter::once(first).chain(more.iter().map(|m| Expr::text(*m, span))).collect();
        Expr::call(name, arguments, span)
    };
    let plain = |text: Expr| call("lower", call("rtrim", text, &[" "]), &[]);
    // Text of ASCII alone, which most keys are, needs no more.
    let ascii =
        Expr::call("length", vec![text.clone()], span).binary(BinaryOp::Equal, Expr::call("strlen", vec![text.clone()], span));
    let known =
        call("regexp_replace", text.clone(), &["[\\x{10000}-\\x{10FFFF}\\x{AD}\\x{200B}-\\x{200F}\\x{2060}\\x{FEFF}]", "", "g"]);
    let composed = plain(call("nfc_normalize", known, &[]));
    let expanded = [("ß", "ss"), ("æ", "ae"), ("œ", "oe"), ("þ", "th")]
        .into_iter()
        .fold(composed, |text, (letter, letters)| call("replace", text, &[letter, letters]));
    Expr::case(vec![(ascii, plain(text))], expanded, span)
}

/// Brings a part of a key into that form if it is text.
pub(super) fn key_of(part: Expr, contract: &Contract) -> Expr {
    if is_text(&part, contract) { collated(part) } else { part }
}

/// Gives the comparisons of a condition the collation's meaning.
pub(super) fn condition(mut expr: Expr, contract: &Contract) -> Expr {
    for child in expr.children_mut() {
        let taken = std::mem::replace(child, Expr::null(child.span));
        *child = condition(taken, contract);
    }
    let text = |e: &Expr| is_text(e, contract);
    let wrap = |e: &mut Expr| *e = collated(std::mem::replace(e, Expr::null(e.span)));
    match &mut expr.kind {
        ExprKind::Binary(left, op, right) if is_comparison(*op) && (text(left) || text(right)) => {
            wrap(left);
            wrap(right);
        }
        ExprKind::InList { operand, list, .. } if text(operand) => {
            wrap(operand);
            list.iter_mut().for_each(wrap);
        }
        ExprKind::Between { operand, low, high, .. } if text(operand) => [operand, low, high].into_iter().for_each(|e| wrap(e)),
        ExprKind::Like { ignore_case, .. } => *ignore_case = true,
        _ => {}
    }
    expr
}

fn is_comparison(op: BinaryOp) -> bool {
    use BinaryOp as Op;
    matches!(
        op,
        Op::Equal
            | Op::NotEqual
            | Op::Less
            | Op::LessOrEqual
            | Op::Greater
            | Op::GreaterOrEqual
            | Op::IsDistinctFrom
            | Op::IsNotDistinctFrom
    )
}

/// Tells whether an expression is surely text: a text column, or what text functions make.
fn is_text(expr: &Expr, contract: &Contract) -> bool {
    const TEXT: &[&str] = &["lower", "upper", "trim", "ltrim", "rtrim", "left", "right", "substring", "replace", "concat"];
    match &expr.kind {
        ExprKind::Column(name) => contract.column(name).is_some_and(|c| c.data_type.is_text()),
        ExprKind::Name(parts) => parts.last().and_then(|name| contract.column(name)).is_some_and(|c| c.data_type.is_text()),
        ExprKind::Call(call) => TEXT.contains(&call.function.as_str()),
        ExprKind::Cast { to, .. } => to.is_text(),
        ExprKind::Binary(_, BinaryOp::Concat, _) => true,
        ExprKind::Literal(Literal::Text(_)) | ExprKind::Literal(_) => false,
        _ => false,
    }
}

/// The form of a column's values, if they are text.
pub(super) fn column(name: &str, span: Span, contract: &Contract) -> Option<Expr> {
    let column = Expr::column(name, span);
    is_text(&column, contract).then(|| collated(column))
}

/// A check whose comparisons have the collation's meaning; all else is as declared.
#[derive(Clone, Debug)]
pub(super) struct Collated {
    declared: Arc<dyn Check>,
    measure: Measure,
}

impl Collated {
    pub(super) fn new(declared: Arc<dyn Check>, measure: Measure) -> Collated {
        Collated { declared, measure }
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
        self.declared.allowed()
    }

    fn suggest(&self, value: &str) -> Option<String> {
        self.declared.suggest(value)
    }
}
