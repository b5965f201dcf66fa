//! Writing expressions in the words of a dialect.
//!
//! `print` walks the tree and places parentheses; a [`Dialect`] says how its database writes what databases do not agree on. What it
//! cannot say is [`Unsupported`], never a guess.
//! Does not know about relations or statements.

pub mod duckdb;
pub mod postgres;
pub mod print;
pub mod relation;
pub mod view;

use crate::diagnostics::Span;
use crate::expr::{BinaryOp, Call, Expr, Literal};
use crate::types::DataType;

pub use print::expression;

/// A part of an expression that a dialect cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// What it is, for a message: "the function `list_transform`".
    pub what: String,
    pub span: Span,
}

impl Unsupported {
    pub fn new(what: impl Into<String>, span: Span) -> Unsupported {
        Unsupported { what: what.into(), span }
    }
}

/// A piece of SQL and how tightly it holds together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    pub sql: String,
    pub binding: Binding,
}

impl Printed {
    /// Makes a piece that needs no parentheses anywhere.
    pub fn atom(sql: impl Into<String>) -> Printed {
        Printed { sql: sql.into(), binding: Binding::Atom }
    }

    pub fn new(sql: impl Into<String>, binding: Binding) -> Printed {
        Printed { sql: sql.into(), binding }
    }

    /// Returns the SQL, in parentheses if it holds less tightly than `least`.
    pub fn within(&self, least: Binding) -> String {
        if self.binding < least { format!("({})", self.sql) } else { self.sql.clone() }
    }
}

/// How tightly a form holds together, loosest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binding {
    /// The body of a lambda reaches as far as it can.
    Lambda,
    Or,
    And,
    Not,
    /// IS NULL, comparisons, IN, BETWEEN, LIKE: not to be chained without parentheses.
    Comparison,
    /// `||` and other operators with words of their own.
    Other,
    Sum,
    Product,
    Sign,
    /// Casts by `::`, subscripts and fields.
    Postfix,
    Atom,
}

/// A printed argument list and what comes with it.
pub struct PrintedCall<'a> {
    pub call: &'a Call,
    pub arguments: &'a [Printed],
    /// `ORDER BY a DESC` of an aggregate, or empty.
    pub order_by: String,
    /// ` FILTER (WHERE ...)` and ` OVER (...)`, or empty.
    pub suffix: String,
    pub span: Span,
}

impl PrintedCall<'_> {
    /// Writes the call by another name.
    pub fn named(&self, function: &str) -> Printed {
        let mut inside =
            if self.call.star { vec!["*".to_string()] } else { self.arguments.iter().map(|a| a.sql.clone()).collect() };
        if let (true, Some(first)) = (self.call.distinct, inside.first_mut()) {
            *first = format!("DISTINCT {first}");
        }
        let mut inside = inside.join(", ");
        if !self.order_by.is_empty() {
            inside = format!("{inside} {}", self.order_by);
        }
        Printed::atom(format!("{function}({inside}){}", self.suffix))
    }

    /// Returns the argument at a place, in parentheses where an operator would need them.
    pub fn argument(&self, index: usize, least: Binding) -> Result<String, Unsupported> {
        let argument = self.arguments.get(index).map(|a| a.within(least));
        argument.ok_or_else(|| {
            Unsupported::new(format!("`{}` with {} arguments", self.call.function, self.arguments.len()), self.span)
        })
    }

    pub fn unsupported<T>(&self) -> Result<T, Unsupported> {
        Err(Unsupported::new(format!("the function `{}`", self.call.function), self.span))
    }
}

/// How one database writes expressions.
pub trait Dialect: Sync + Send {
    fn name(&self) -> &'static str;

    /// Writes a name so that it means exactly itself.
    fn quote(&self, identifier: &str) -> String;

    fn type_name(&self, data_type: &DataType, span: Span) -> Result<String, Unsupported>;

    fn literal(&self, literal: &Literal, span: Span) -> Result<Printed, Unsupported>;

    fn call(&self, call: &PrintedCall) -> Result<Printed, Unsupported>;

    /// Writes an operator; `tree` is the whole operation, for those that depend on more than their operands' text.
    fn binary(&self, tree: &Expr, left: &Printed, op: BinaryOp, right: &Printed) -> Result<Printed, Unsupported>;

    fn cast(&self, operand: &Printed, to: &DataType, attempt: bool, span: Span) -> Result<Printed, Unsupported> {
        if attempt {
            return Err(Unsupported::new("TRY_CAST", span));
        }
        Ok(Printed::atom(format!("CAST({} AS {})", operand.sql, self.type_name(to, span)?)))
    }

    fn like(&self, like: PrintedLike, span: Span) -> Result<Printed, Unsupported>;

    /// Writes whether an operand is among items, of which there is at least one; `tree` is the whole test.
    fn membership(&self, _tree: &Expr, operand: &Printed, items: &[Printed], negated: bool) -> Printed {
        print::membership(operand, items, negated)
    }

    fn list(&self, items: &[Printed], span: Span) -> Result<Printed, Unsupported>;

    fn subscript(&self, list: &Printed, index: &Printed, span: Span) -> Result<Printed, Unsupported>;

    fn structure(&self, fields: &[(String, Printed)], span: Span) -> Result<Printed, Unsupported>;

    fn field(&self, operand: &Printed, field: &str, span: Span) -> Result<Printed, Unsupported>;

    fn lambda(&self, parameters: &[String], body: &Printed, span: Span) -> Result<Printed, Unsupported>;

    /// Writes the part of a sort key after its expression: ` DESC NULLS LAST`.
    fn sort_order(&self, descending: bool, nulls_first: Option<bool>) -> String {
        let direction = if descending { " DESC" } else { "" };
        let nulls = match nulls_first {
            Some(true) => " NULLS FIRST",
            Some(false) => " NULLS LAST",
            None => "",
        };
        format!("{direction}{nulls}")
    }
}

/// A LIKE whose parts are printed.
pub struct PrintedLike<'a> {
    pub operand: &'a Printed,
    pub pattern: &'a Printed,
    pub escape: Option<char>,
    pub ignore_case: bool,
    pub negated: bool,
}
