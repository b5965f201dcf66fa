//! Operators: arithmetic, comparisons, LIKE, IS, and what other dialects write as one.
//!
//! In: sqlparser's tree of one. Out: the same in the closed tree: `x IS TRUE` as `x IS NOT DISTINCT FROM TRUE`, `~` as a call.
//! Does not know about calls; see `functions`.

use sqlparser::ast::{BinaryOperator, Expr as Sql, UnaryOperator};
use sqlparser::keywords::Keyword;

use super::lower::{Lowerer, join};
use super::{BinaryOp, Expr, ExprKind, Literal, UnaryOp};
use crate::diagnostics::Span;

impl Lowerer<'_, '_> {
    /// Lowers a chain of operators without going down its left side by recursion.
    pub fn chain(&mut self, sql: &Sql) -> Option<Expr> {
        let mut rights = vec![];
        let mut at = sql;
        while let Sql::BinaryOp { left, op, right } = at {
            rights.push((op, right));
            at = left;
        }
        let mut lowered = self.expr(at);
        for (op, right) in rights.into_iter().rev() {
            let right = self.expr(right);
            lowered = match (lowered, right) {
                (Some(left), Some(right)) => self.operator(left, op, right),
                _ => None,
            };
        }
        lowered
    }

    fn operator(&mut self, left: Expr, op: &BinaryOperator, right: Expr) -> Option<Expr> {
        let span = join(left.span, right.span);
        let simple = match op {
            BinaryOperator::Plus => BinaryOp::Add,
            BinaryOperator::Minus => BinaryOp::Subtract,
            BinaryOperator::Multiply => BinaryOp::Multiply,
            BinaryOperator::Divide => BinaryOp::Divide,
            BinaryOperator::Modulo => BinaryOp::Modulo,
            BinaryOperator::DuckIntegerDivide => BinaryOp::IntegerDivide,
            BinaryOperator::StringConcat => BinaryOp::Concat,
            BinaryOperator::Gt => BinaryOp::Greater,
            BinaryOperator::Lt => BinaryOp::Less,
            BinaryOperator::GtEq => BinaryOp::GreaterOrEqual,
            BinaryOperator::LtEq => BinaryOp::LessOrEqual,
            BinaryOperator::Eq => BinaryOp::Equal,
            BinaryOperator::NotEq => BinaryOp::NotEqual,
            BinaryOperator::And => BinaryOp::And,
            BinaryOperator::Or => BinaryOp::Or,
            BinaryOperator::Arrow => return Some(Expr::call("json_extract", vec![left, right], span)),
            BinaryOperator::LongArrow => return Some(Expr::call("json_extract_string", vec![left, right], span)),
            BinaryOperator::PGStartsWith => return Some(Expr::call("starts_with", vec![left, right], span)),
            BinaryOperator::PGExp => return Some(Expr::call("power", vec![left, right], span)),
            BinaryOperator::PGRegexMatch => return Some(matches(left, right, (false, false), span)),
            BinaryOperator::PGRegexIMatch => return Some(matches(left, right, (true, false), span)),
            BinaryOperator::PGRegexNotMatch => return Some(matches(left, right, (false, true), span)),
            BinaryOperator::PGRegexNotIMatch => return Some(matches(left, right, (true, true), span)),
            BinaryOperator::PGLikeMatch => return Some(like(left, right, (false, false), span)),
            BinaryOperator::PGILikeMatch => return Some(like(left, right, (true, false), span)),
            BinaryOperator::PGNotLikeMatch => return Some(like(left, right, (false, true), span)),
            BinaryOperator::PGNotILikeMatch => return Some(like(left, right, (true, true), span)),
            BinaryOperator::BitwiseXor | BinaryOperator::PGBitwiseXor => {
                self.out
                    .error("E0311", span, "expression form not supported: the operator `^`")
                    .help("Write power(a, b) or xor(a, b).");
                return None;
            }
            other => return self.unsupported(&format!("the operator `{other}`"), span),
        };
        let null = [&left, &right].into_iter().find(|e| e.kind == ExprKind::Literal(Literal::Null));
        if let (Some(null), BinaryOp::Equal | BinaryOp::NotEqual, true) = (null, simple, self.place.authored) {
            let (written, instead) = if simple == BinaryOp::Equal { ("=", "IS NULL") } else { ("<>", "IS NOT NULL") };
            let message = format!("`{written} NULL` is never true");
            self.out.warning("W0310", null.span, message).help(format!("Write `{instead}`."));
        }
        Some(Expr::new(ExprKind::Binary(Box::new(left), simple, Box::new(right)), span))
    }

    pub fn binary(&mut self, left: &Sql, op: BinaryOp, right: &Sql) -> Option<Expr> {
        let (left, right) = (self.boxed(left), self.boxed(right));
        let (left, right) = (left?, right?);
        let span = join(left.span, right.span);
        Some(Expr::new(ExprKind::Binary(left, op, right), span))
    }

    pub fn unary(&mut self, op: UnaryOperator, operand: &Sql) -> Option<Expr> {
        let lowered = self.expr(operand)?;
        let span = self.with_word_before(lowered.span);
        let op = match op {
            UnaryOperator::Not => UnaryOp::Not,
            UnaryOperator::Plus => UnaryOp::Plus,
            UnaryOperator::Minus => match (&lowered.kind, operand) {
                // `-1` is a number; `-(1)` and `- -1` stay what they are.
                (ExprKind::Literal(Literal::Number(n)), Sql::Value(_)) => return Some(Expr::number(format!("-{n}"), span)),
                _ => UnaryOp::Minus,
            },
            other => return self.unsupported(&format!("the operator `{other}`"), span),
        };
        Some(Expr::new(ExprKind::Unary(op, Box::new(lowered)), span))
    }

    pub fn is_null(&mut self, operand: &Sql, negated: bool) -> Option<Expr> {
        let operand = self.boxed(operand)?;
        let span = self.with_words(operand.span, &[Keyword::IS, Keyword::NOT, Keyword::NULL, Keyword::UNKNOWN], 3);
        let span = if span == operand.span { self.with_words(span, &[Keyword::NOTNULL], 1) } else { span };
        Some(Expr::new(ExprKind::IsNull { operand, negated }, span))
    }

    pub fn is_boolean(&mut self, operand: &Sql, op: BinaryOp, value: bool) -> Option<Expr> {
        let operand = self.boxed(operand)?;
        let span = self.with_words(operand.span, &[Keyword::IS, Keyword::NOT, Keyword::TRUE, Keyword::FALSE], 3);
        let value = Box::new(Expr::boolean(value, span));
        Some(Expr::new(ExprKind::Binary(operand, op, value), span))
    }

    fn with_words(&self, span: Span, words: &[Keyword], most: usize) -> Span {
        let end = self.place.tokens().and_then(|tokens| tokens.words_end(self.offset(span.end), words, most));
        self.up_to(span, end)
    }

    /// `x = ANY (ARRAY[...])`, which is how Postgres stores `x IN (...)`.
    pub fn any(&mut self, left: &Sql, right: &Sql, negated: bool) -> Option<Expr> {
        let mut array = right;
        while let Sql::Nested(inner) | Sql::Cast { expr: inner, .. } = array {
            array = inner;
        }
        match array {
            Sql::Array(array) => self.in_list(left, &array.elem, negated),
            _ => self.unsupported("ANY and ALL of something that is not a list of values", self.span_of(left)),
        }
    }

    pub fn like(
        &mut self,
        operand: &Sql,
        pattern: &Sql,
        escape: Option<&Sql>,
        (ignore_case, negated): (bool, bool),
    ) -> Option<Expr> {
        let (operand, pattern) = (self.expr(operand), self.expr(pattern));
        let (operand, pattern) = (operand?, pattern?);
        let mut span = join(operand.span, pattern.span);
        let escape = match self.optional(escape)? {
            // Databases take a backslash for an escape; the engine has none.
            None if !self.place.authored && holds_backslash(&pattern) => Some('\\'),
            None => None,
            Some(written) => {
                span = join(span, written.span);
                match &written.kind {
                    ExprKind::Literal(Literal::Text(text)) if text.chars().count() == 1 => text.chars().next(),
                    _ => return self.unsupported("an ESCAPE that is not one character", written.span),
                }
            }
        };
        let kind = ExprKind::Like { operand: Box::new(operand), pattern: Box::new(pattern), escape, ignore_case, negated };
        Some(Expr::new(kind, span))
    }
}

fn holds_backslash(pattern: &Expr) -> bool {
    matches!(&pattern.kind, ExprKind::Literal(Literal::Text(text)) if text.contains('\\'))
}

/// `~~`, which is how Postgres stores LIKE.
fn like(left: Expr, right: Expr, (ignore_case, negated): (bool, bool), span: Span) -> Expr {
    let escape = holds_backslash(&right).then_some('\\');
    let kind = ExprKind::Like { operand: Box::new(left), pattern: Box::new(right), escape, ignore_case, negated };
    Expr::new(kind, span)
}

fn matches(left: Expr, right: Expr, (ignore_case, negated): (bool, bool), span: Span) -> Expr {
    let mut arguments = vec![left, right];
    if ignore_case {
        arguments.push(Expr::text("i", span));
    }
    let call = Expr::call("regexp_matches", arguments, span);
    if negated { call.negate() } else { call }
}
