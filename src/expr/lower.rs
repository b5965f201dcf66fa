//! From sqlparser's tree to the closed tree of `expr`.
//!
//! In: an expression as sqlparser reads it, and its place. Out: the same expression in the forms that every dialect can write, or
//! diagnostics for the forms that have none. `functions` does the calls and the forms that are calls in disguise.
//! Does not know about text; see `parse`.

use sqlparser::ast::{self, AccessExpr, BinaryOperator, CastKind, Expr as Sql, Spanned, Subscript, Value};

use super::parse::Place;
use super::{BinaryOp, Expr, ExprKind, Literal, OrderBy};
use crate::diagnostics::{Diagnostics, Span};
use crate::types::DataType;

/// The state of lowering one expression.
pub(super) struct Lowerer<'a, 'p> {
    pub place: &'a Place<'p>,
    pub out: &'a mut Diagnostics,
}

impl Lowerer<'_, '_> {
    /// Lowers one expression.
    pub fn expr(&mut self, sql: &Sql) -> Option<Expr> {
        match sql {
            Sql::Identifier(name) => Some(Expr::new(ExprKind::Name(vec![name.value.clone()]), self.at(name.span))),
            Sql::CompoundIdentifier(names) => {
                let parts = names.iter().map(|n| n.value.clone()).collect();
                Some(Expr::new(ExprKind::Name(parts), self.span_of(sql)))
            }
            Sql::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain),
            Sql::BinaryOp { .. } => self.chain(sql),
            Sql::UnaryOp { op, expr } => self.unary(*op, expr),
            Sql::Nested(inner) => {
                let mut lowered = self.expr(inner)?;
                lowered.span = self.brackets(lowered.span, false);
                Some(lowered)
            }
            Sql::Value(value) => self.literal(&value.value, self.at(value.span)),
            Sql::IsNull(e) | Sql::IsUnknown(e) => self.is_null(e, false),
            Sql::IsNotNull(e) | Sql::IsNotUnknown(e) => self.is_null(e, true),
            Sql::IsTrue(e) => self.is_boolean(e, BinaryOp::IsNotDistinctFrom, true),
            Sql::IsNotTrue(e) => self.is_boolean(e, BinaryOp::IsDistinctFrom, true),
            Sql::IsFalse(e) => self.is_boolean(e, BinaryOp::IsNotDistinctFrom, false),
            Sql::IsNotFalse(e) => self.is_boolean(e, BinaryOp::IsDistinctFrom, false),
            Sql::IsDistinctFrom(a, b) => self.binary(a, BinaryOp::IsDistinctFrom, b),
            Sql::IsNotDistinctFrom(a, b) => self.binary(a, BinaryOp::IsNotDistinctFrom, b),
            Sql::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Sql::Between { expr, negated, low, high } => self.between(expr, (low, high), *negated),
            Sql::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_deref(), (false, *negated))
            }
            Sql::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_deref(), (true, *negated))
            }
            Sql::Case { .. } => self.case(sql),
            Sql::Cast { kind, expr, data_type, format: None } => self.cast(kind, expr, data_type),
            Sql::Convert { is_try, expr, data_type: Some(to), charset: None, styles, .. } if styles.is_empty() => {
                self.cast(if *is_try { &CastKind::TryCast } else { &CastKind::Cast }, expr, to)
            }
            Sql::TypedString(typed) => self.typed(typed),
            Sql::Array(array) => self.list(array),
            Sql::Dictionary(fields) => self.structure(fields),
            Sql::Lambda(lambda) => self.lambda(lambda),
            Sql::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => self.any(left, right, false),
            Sql::AllOp { left, compare_op: BinaryOperator::NotEq, right } => self.any(left, right, true),
            Sql::Collate { expr, .. } if !self.place.authored => self.expr(expr),
            Sql::Prefixed { value, .. } if !self.place.authored => self.expr(value),
            Sql::Function(function) => self.function(function),
            _ => self.call_like(sql),
        }
    }

    /// Lowers sort keys.
    pub fn order_by(&mut self, keys: &[ast::OrderByExpr]) -> Option<Vec<OrderBy>> {
        let lowered: Vec<_> = keys
            .iter()
            .map(|key| {
                let expr = self.expr(&key.expr)?;
                if key.with_fill.is_some() || matches!(key.options.sort, Some(ast::OrderBySort::Using(_))) {
                    return self.unsupported("a sort key with USING or WITH FILL", expr.span);
                }
                let descending = matches!(key.options.sort, Some(ast::OrderBySort::Desc));
                Some(OrderBy { expr, descending, nulls_first: key.options.nulls_first })
            })
            .collect();
        lowered.into_iter().collect()
    }

    /// Lowers all of several expressions, so that each one's errors are told.
    pub fn all(&mut self, list: &[Sql]) -> Option<Vec<Expr>> {
        let lowered: Vec<_> = list.iter().map(|e| self.expr(e)).collect();
        lowered.into_iter().collect()
    }

    pub fn optional(&mut self, sql: Option<&Sql>) -> Option<Option<Box<Expr>>> {
        sql.map_or(Some(None), |e| self.boxed(e).map(Some))
    }

    /// Reports a form that the closed tree has not.
    pub fn unsupported<T>(&mut self, what: &str, span: Span) -> Option<T> {
        self.out.error("E0311", span, format!("expression form not supported: {what}"));
        None
    }

    pub fn at(&self, lines: sqlparser::tokenizer::Span) -> Span {
        match self.place.tokens().and_then(|tokens| tokens.bytes(lines)) {
            Some(bytes) => self.place.slice(bytes),
            None => self.place.span,
        }
    }

    pub fn span_of(&self, sql: &Sql) -> Span {
        // Asking costs a walk over the whole part, which only a reader of spans needs.
        if self.place.tokens().is_some() { self.at(sql.span()) } else { self.place.span }
    }

    /// Widens a span to the brackets around it, and to the word before them if `keyword`.
    pub fn brackets(&self, inside: Span, keyword: bool) -> Span {
        let around = self.place.tokens().and_then(|tokens| tokens.around(self.offset(inside.start), keyword));
        around.map_or(inside, |bytes| self.place.slice(bytes))
    }

    pub fn with_word_before(&self, span: Span) -> Span {
        let start = self.place.tokens().and_then(|tokens| tokens.before(self.offset(span.start)));
        start.map_or(span, |start| self.place.slice((start, self.offset(span.end))))
    }

    pub fn up_to(&self, span: Span, end: Option<usize>) -> Span {
        end.map_or(span, |end| self.place.slice((self.offset(span.start), end)))
    }

    pub fn offset(&self, byte: u32) -> usize {
        byte.saturating_sub(self.place.span.start) as usize
    }

    pub fn boxed(&mut self, sql: &Sql) -> Option<Box<Expr>> {
        self.expr(sql).map(Box::new)
    }

    pub fn in_list(&mut self, operand: &Sql, list: &[Sql], negated: bool) -> Option<Expr> {
        let (operand, list) = (self.boxed(operand), self.all(list));
        let (operand, list) = (operand?, list?);
        let end = list.last().map_or(operand.span, |last| self.brackets(last.span, false));
        let span = join(operand.span, end);
        Some(Expr::new(ExprKind::InList { operand, list, negated }, span))
    }

    fn between(&mut self, operand: &Sql, (low, high): (&Sql, &Sql), negated: bool) -> Option<Expr> {
        let (operand, low, high) = (self.boxed(operand), self.boxed(low), self.boxed(high));
        let (operand, low, high) = (operand?, low?, high?);
        let span = join(operand.span, high.span);
        Some(Expr::new(ExprKind::Between { operand, low, high, negated }, span))
    }

    fn case(&mut self, sql: &Sql) -> Option<Expr> {
        let Sql::Case { operand, conditions, else_result, case_token, end_token } = sql else {
            return None;
        };
        let span = join(self.at(case_token.0.span), self.at(end_token.0.span));
        let operand = self.optional(operand.as_deref());
        let branches: Vec<_> = conditions.iter().map(|c| (self.expr(&c.condition), self.expr(&c.result))).collect();
        let otherwise = self.optional(else_result.as_deref());
        let branches = branches.into_iter().map(|(when, then)| Some((when?, then?))).collect::<Option<_>>()?;
        Some(Expr::new(ExprKind::Case { operand: operand?, branches, otherwise: otherwise? }, span))
    }

    fn typed(&mut self, typed: &ast::TypedString) -> Option<Expr> {
        let span = self.with_word_before(self.at(typed.value.span));
        let to = self.data_type(&typed.data_type, span)?;
        match typed.value.value.clone().into_string() {
            Some(text) => Some(Expr::new(ExprKind::Literal(Literal::Typed(to, text)), span)),
            None => self.unsupported("a typed literal that is not text", span),
        }
    }

    fn list(&mut self, array: &ast::Array) -> Option<Expr> {
        let items = self.all(&array.elem)?;
        let span = match items.first() {
            Some(first) => self.brackets(first.span, array.named),
            None => self.at(array.span()),
        };
        Some(Expr::new(ExprKind::List(items), span))
    }

    fn structure(&mut self, fields: &[ast::DictionaryField]) -> Option<Expr> {
        let values: Vec<_> = fields.iter().map(|f| (f.key.value.clone(), self.expr(&f.value))).collect();
        let first = values.first().and_then(|(_, value)| value.as_ref());
        let span = first.map_or(self.place.span, |value| self.brackets(value.span, false));
        let fields = values.into_iter().map(|(name, value)| Some((name, value?))).collect::<Option<_>>()?;
        Some(Expr::new(ExprKind::Struct(fields), span))
    }

    fn cast(&mut self, kind: &CastKind, operand: &Sql, to: &ast::DataType) -> Option<Expr> {
        let operand = self.expr(operand)?;
        let span = match kind {
            CastKind::DoubleColon => {
                let end = self.place.tokens().and_then(|tokens| tokens.cast_end(self.offset(operand.span.end)));
                self.up_to(operand.span, end)
            }
            CastKind::Cast | CastKind::TryCast | CastKind::SafeCast => self.brackets(operand.span, true),
        };
        let to = self.data_type(to, span)?;
        // Databases store 'a' as 'a'::text.
        if !self.place.authored && to.is_text() && matches!(operand.kind, ExprKind::Literal(Literal::Text(_))) {
            return Some(operand);
        }
        let attempt = matches!(kind, CastKind::TryCast | CastKind::SafeCast);
        Some(Expr::new(ExprKind::Cast { operand: Box::new(operand), to, attempt }, span))
    }

    /// Reads a type; an author's must be one that the language knows.
    pub fn data_type(&mut self, sql: &ast::DataType, span: Span) -> Option<DataType> {
        let text = sql.to_string();
        match DataType::parse(&text) {
            Some(known) => Some(known),
            None if !self.place.authored => Some(DataType::Named(text)),
            None => {
                let names =
                    ["text", "integer", "bigint", "smallint", "decimal", "double", "boolean", "date", "time", "timestamp"];
                let names = names.into_iter().chain(["timestamptz", "interval", "uuid", "json", "bytes", "hugeint", "real"]);
                let list = names.clone().collect::<Vec<_>>().join(", ");
                let word = text.split('(').next().unwrap_or(&text).to_lowercase();
                self.out
                    .error("E0313", span, format!("type `{}` is not known", text.to_lowercase()))
                    .suggest(&word, names)
                    .help(format!("There are {list}, and lists such as text[]."));
                None
            }
        }
    }

    fn literal(&mut self, value: &Value, span: Span) -> Option<Expr> {
        let kind = match value {
            Value::Number(digits, false) => Literal::Number(digits.replace('_', "")),
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) | Value::UnicodeStringLiteral(text) => {
                Literal::Text(text.clone())
            }
            Value::NationalStringLiteral(text) if !self.place.authored => Literal::Text(text.clone()),
            Value::DollarQuotedString(text) => Literal::Text(text.value.clone()),
            Value::Boolean(value) => Literal::Boolean(*value),
            Value::Null => Literal::Null,
            Value::Placeholder(name) => {
                self.out
                    .error("E0311", span, format!("expression form not supported: the parameter `{name}`"))
                    .help("Values from outside come by templates: {{ vars.name }}.");
                return None;
            }
            other => return self.unsupported(&format!("the literal {other}"), span),
        };
        Some(Expr::new(ExprKind::Literal(kind), span))
    }

    fn access(&mut self, root: &Sql, chain: &[AccessExpr]) -> Option<Expr> {
        let mut lowered = self.expr(root)?;
        for step in chain {
            lowered = match step {
                AccessExpr::Dot(Sql::Identifier(field)) => {
                    let span = join(lowered.span, self.at(field.span));
                    match lowered.kind {
                        ExprKind::Name(mut parts) if !matches!(root, Sql::Nested(_)) => {
                            parts.push(field.value.clone());
                            Expr::new(ExprKind::Name(parts), span)
                        }
                        _ => Expr::new(ExprKind::Field(Box::new(lowered), field.value.clone()), span),
                    }
                }
                AccessExpr::Dot(other) => {
                    self.out
                        .error("E0311", self.span_of(other), "expression form not supported: a call after a dot")
                        .help("Write the value as the first argument: length(name) instead of name.length().");
                    return None;
                }
                AccessExpr::Subscript(Subscript::Index { index }) => {
                    let index = self.boxed(index)?;
                    let span = join(lowered.span, self.brackets(index.span, false));
                    Expr::new(ExprKind::Subscript(Box::new(lowered), index), span)
                }
                AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride: None }) => {
                    let span = lowered.span;
                    let mut bound = |bound: &Option<Sql>, open: &str| match bound {
                        Some(bound) => self.expr(bound),
                        None => Some(Expr::number(open, span)),
                    };
                    let (low, high) = (bound(lower_bound, "1")?, bound(upper_bound, "-1")?);
                    let end = if high.span == span { low.span } else { high.span };
                    let span = join(span, if end == span { span } else { self.brackets(end, false) });
                    Expr::call("list_slice", vec![lowered, low, high], span)
                }
                AccessExpr::Subscript(Subscript::Slice { .. }) => return self.unsupported("a slice with a step", lowered.span),
            };
        }
        Some(lowered)
    }

    fn lambda(&mut self, lambda: &ast::LambdaFunction) -> Option<Expr> {
        let first = lambda.params.iter().next().map_or(self.place.span, |p| self.at(p.name.span));
        let body = self.boxed(&lambda.body)?;
        let span = match (lambda.syntax, &lambda.params) {
            (ast::LambdaSyntax::LambdaKeyword, ast::OneOrManyWithParens::One(_)) => self.with_word_before(first),
            (ast::LambdaSyntax::Arrow, ast::OneOrManyWithParens::One(_)) => first,
            (_, ast::OneOrManyWithParens::Many(_)) => self.brackets(first, false),
        };
        let span = join(span, body.span);
        // sqlparser takes `document -> '$.key'` for a lambda.
        if let (ast::LambdaSyntax::Arrow, [only], ExprKind::Literal(_)) = (lambda.syntax, &*lambda.params, &body.kind) {
            let document = Expr::new(ExprKind::Name(vec![only.name.value.clone()]), first);
            return Some(Expr::call("json_extract", vec![document, *body], span));
        }
        let parameters = lambda.params.iter().map(|p| p.name.value.clone()).collect();
        Some(Expr::new(ExprKind::Lambda { parameters, body }, span))
    }
}

/// Returns the span from the start of one to the end of another.
pub(super) fn join(from: Span, to: Span) -> Span {
    Span { file: from.file, start: from.start.min(to.start), end: from.end.max(to.end) }
}
