//! Scalar expressions: a small closed tree, the same for every dialect.
//!
//! `parse` makes it from an author's SQL text, `typing` tells its type, `sql` prints it. Matched exhaustively everywhere, so that
//! a new form is refused by the compiler until every dialect says how to write it.
//! Does not know about YAML, relations or engines.

mod common;
mod dialect;
pub mod exact;
mod functions;
mod lower;
mod operators;
pub mod parse;
pub mod query;
mod signatures;
pub mod sure;
mod tokens;
pub mod typing;

use crate::diagnostics::Span;
use crate::types::DataType;

/// An expression and the place in the author's text that it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

/// The forms of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A name as written, split at its dots: `parent.profile.age`. Resolving replaces it by [`ExprKind::Column`] and [`ExprKind::Field`].
    Name(Vec<String>),
    /// A column of the input relation, by its full name.
    Column(String),
    /// A field of a struct.
    Field(Box<Expr>, String),
    Literal(Literal),
    Unary(UnaryOp, Box<Expr>),
    Binary(Box<Expr>, BinaryOp, Box<Expr>),
    IsNull {
        operand: Box<Expr>,
        negated: bool,
    },
    InList {
        operand: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    Between {
        operand: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    Like {
        operand: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<char>,
        ignore_case: bool,
        negated: bool,
    },
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    /// `attempt` is TRY_CAST: NULL where the value will not cast.
    Cast {
        operand: Box<Expr>,
        to: DataType,
        attempt: bool,
    },
    Call(Call),
    /// `list[1]`, counted from one.
    Subscript(Box<Expr>, Box<Expr>),
    List(Vec<Expr>),
    Struct(Vec<(String, Expr)>),
    Lambda {
        parameters: Vec<String>,
        body: Box<Expr>,
    },
}

/// A call of a scalar, aggregate or window function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// In lower case.
    pub function: String,
    pub arguments: Vec<Expr>,
    /// `count(*)`.
    pub star: bool,
    pub distinct: bool,
    /// `string_agg(x, ',' ORDER BY y)`.
    pub order_by: Vec<OrderBy>,
    pub filter: Option<Box<Expr>>,
    pub over: Option<Window>,
}

/// `OVER (PARTITION BY ... ORDER BY ...)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    pub partition_by: Vec<Expr>,
    pub order_by: Vec<OrderBy>,
    /// The frame as SQL text, such as `ROWS BETWEEN 1 PRECEDING AND CURRENT ROW`, made only of known words and numbers.
    pub frame: Option<String>,
}

/// One sort key.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderBy {
    pub expr: Expr,
    pub descending: bool,
    /// `None` is the engine's default (last).
    pub nulls_first: Option<bool>,
}

/// A constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    Null,
    Boolean(bool),
    /// As written, so that no digit is lost.
    Number(String),
    Text(String),
    /// `DATE '2025-01-01'`, `INTERVAL '1 day'`: the text of a value of that type.
    Typed(DataType, String),
}

/// Operators with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    Not,
    Minus,
    Plus,
}

/// Operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Equal, and NULL equals NULL.
    IsNotDistinctFrom,
    IsDistinctFrom,
    Add,
    Subtract,
    Multiply,
    /// `/`: never drops a remainder.
    Divide,
    /// `//`: whole-number division.
    IntegerDivide,
    Modulo,
    /// `||`.
    Concat,
}

impl Expr {
    pub fn new(kind: ExprKind, span: Span) -> Expr {
        Expr { kind, span }
    }

    pub fn column(name: impl Into<String>, span: Span) -> Expr {
        Expr::new(ExprKind::Column(name.into()), span)
    }

    pub fn null(span: Span) -> Expr {
        Expr::new(ExprKind::Literal(Literal::Null), span)
    }

    pub fn text(value: impl Into<String>, span: Span) -> Expr {
        Expr::new(ExprKind::Literal(Literal::Text(value.into())), span)
    }

    #[expect(clippy::needless_pass_by_value, reason = "numbers are copied")]
    pub fn number(value: impl ToString, span: Span) -> Expr {
        Expr::new(ExprKind::Literal(Literal::Number(value.to_string())), span)
    }

    pub fn boolean(value: bool, span: Span) -> Expr {
        Expr::new(ExprKind::Literal(Literal::Boolean(value)), span)
    }

    pub fn binary(self, op: BinaryOp, right: Expr) -> Expr {
        let span = self.span;
        Expr::new(ExprKind::Binary(Box::new(self), op, Box::new(right)), span)
    }

    pub fn and(self, right: Expr) -> Expr {
        self.binary(BinaryOp::And, right)
    }

    pub fn or(self, right: Expr) -> Expr {
        self.binary(BinaryOp::Or, right)
    }

    /// Wraps this expression in NOT.
    pub fn negate(self) -> Expr {
        let span = self.span;
        Expr::new(ExprKind::Unary(UnaryOp::Not, Box::new(self)), span)
    }

    pub fn is_null(self) -> Expr {
        let span = self.span;
        Expr::new(ExprKind::IsNull { operand: Box::new(self), negated: false }, span)
    }

    pub fn is_not_null(self) -> Expr {
        let span = self.span;
        Expr::new(ExprKind::IsNull { operand: Box::new(self), negated: true }, span)
    }

    pub fn cast(self, to: DataType) -> Expr {
        let span = self.span;
        Expr::new(ExprKind::Cast { operand: Box::new(self), to, attempt: false }, span)
    }

    pub fn try_cast(self, to: DataType) -> Expr {
        let span = self.span;
        Expr::new(ExprKind::Cast { operand: Box::new(self), to, attempt: true }, span)
    }

    /// Makes a plain scalar call.
    pub fn call(function: &str, arguments: Vec<Expr>, span: Span) -> Expr {
        let call = Call {
            function: function.to_string(),
            arguments,
            star: false,
            distinct: false,
            order_by: vec![],
            filter: None,
            over: None,
        };
        Expr::new(ExprKind::Call(call), span)
    }

    /// Makes `row_number() OVER ()`: a number that no other row has, and that means nothing else.
    pub fn row_number(span: Span) -> Expr {
        let mut number = Expr::call("row_number", vec![], span);
        if let ExprKind::Call(call) = &mut number.kind {
            call.over = Some(Window::default());
        }
        number
    }

    /// Makes `CASE WHEN condition THEN value ... ELSE otherwise END`.
    pub fn case(branches: Vec<(Expr, Expr)>, otherwise: Expr, span: Span) -> Expr {
        Expr::new(ExprKind::Case { operand: None, branches, otherwise: Some(Box::new(otherwise)) }, span)
    }

    /// Returns the direct parts of this expression, in order.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Name(_) | ExprKind::Column(_) | ExprKind::Literal(_) => vec![],
            ExprKind::Field(e, _) | ExprKind::Unary(_, e) => vec![e],
            ExprKind::IsNull { operand, .. } | ExprKind::Cast { operand, .. } => vec![operand],
            ExprKind::Binary(a, _, b) | ExprKind::Subscript(a, b) => vec![a, b],
            ExprKind::InList { operand, list, .. } => std::iter::once(&**operand).chain(list).collect(),
            ExprKind::Between { operand, low, high, .. } => vec![operand, low, high],
            ExprKind::Like { operand, pattern, .. } => vec![operand, pattern],
            ExprKind::Case { operand, branches, otherwise } => operand
                .iter()
                .map(|e| &**e)
                .chain(branches.iter().flat_map(|(when, then)| [when, then]))
                .chain(otherwise.iter().map(|e| &**e))
                .collect(),
            ExprKind::Call(call) => call
                .arguments
                .iter()
                .chain(call.order_by.iter().map(|o| &o.expr))
                .chain(call.filter.iter().map(|e| &**e))
                .chain(call.over.iter().flat_map(|w| w.partition_by.iter().chain(w.order_by.iter().map(|o| &o.expr))))
                .collect(),
            ExprKind::List(items) => items.iter().collect(),
            ExprKind::Struct(fields) => fields.iter().map(|(_, e)| e).collect(),
            ExprKind::Lambda { body, .. } => vec![body],
        }
    }

    /// Returns the direct parts of this expression for change, in the order of [`Expr::children`].
    pub fn children_mut(&mut self) -> Vec<&mut Expr> {
        match &mut self.kind {
            ExprKind::Name(_) | ExprKind::Column(_) | ExprKind::Literal(_) => vec![],
            ExprKind::Field(e, _) | ExprKind::Unary(_, e) => vec![e],
            ExprKind::IsNull { operand, .. } | ExprKind::Cast { operand, .. } => vec![operand],
            ExprKind::Binary(a, _, b) | ExprKind::Subscript(a, b) => vec![a, b],
            ExprKind::InList { operand, list, .. } => std::iter::once(&mut **operand).chain(list).collect(),
            ExprKind::Between { operand, low, high, .. } => vec![operand, low, high],
            ExprKind::Like { operand, pattern, .. } => vec![operand, pattern],
            ExprKind::Case { operand, branches, otherwise } => operand
                .iter_mut()
                .map(|e| &mut **e)
                .chain(branches.iter_mut().flat_map(|(when, then)| [when, then]))
                .chain(otherwise.iter_mut().map(|e| &mut **e))
                .collect(),
            ExprKind::Call(call) => call
                .arguments
                .iter_mut()
                .chain(call.order_by.iter_mut().map(|o| &mut o.expr))
                .chain(call.filter.iter_mut().map(|e| &mut **e))
                .chain(
                    call.over
                        .iter_mut()
                        .flat_map(|w| w.partition_by.iter_mut().chain(w.order_by.iter_mut().map(|o| &mut o.expr))),
                )
                .collect(),
            ExprKind::List(items) => items.iter_mut().collect(),
            ExprKind::Struct(fields) => fields.iter_mut().map(|(_, e)| e).collect(),
            ExprKind::Lambda { body, .. } => vec![body],
        }
    }

    /// Puts another expression in the place of a column.
    pub fn put(&mut self, column: &str, by: &Expr) {
        match &self.kind {
            ExprKind::Column(name) if name == column => self.kind = by.kind.clone(),
            _ => self.children_mut().into_iter().for_each(|child| child.put(column, by)),
        }
    }

    /// Calls `visit` on this expression and all below it, parents first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }
}
