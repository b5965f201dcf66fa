//! What a clause may use while it lowers itself: templates, contracts, the engine's type rules, and the diagnostics.
//!
//! Does not know about any one clause.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::flow::{Column, Flow};
use super::texts::Texts;
use crate::contract::Contract;
use crate::diagnostics::{Diagnostics, SourceMap, Span, Spanned};
use crate::expr::{Expr, parse, typing};
use crate::relation::Relation;
use crate::spec::template::Templates;
use crate::spec::yaml::{Map, Node, Value};
use crate::target::Target;
use crate::types::DataType;

/// What the engine can tell about types without touching rows.
pub trait Binder {
    /// Makes `table` known by its relation, for what reads it later; nothing is judged yet.
    fn declare(&self, table: &str, relation: &Relation) -> Result<(), String>;

    /// Makes `table` known by the columns that its relation has, for what reads it later; its rows are for the run to make.
    fn announce(&self, table: &str, relation: &Relation) -> Result<(), String>;

    /// The same at once, and returns the columns; an error is the engine's own words.
    fn define(&self, table: &str, relation: &Relation) -> Result<Vec<(String, DataType)>, String>;

    /// Returns the type of an expression over a relation.
    fn type_of(&self, relation: &Relation, expr: &Expr) -> Result<DataType, String>;
}

/// A mapping of `VALUE_MAPPINGS.json` or of defaults: table, column, then the author's nodes.
pub type PerColumn = BTreeMap<String, BTreeMap<String, Node>>;

/// What is known about the table at hand.
pub struct TableContext<'a> {
    pub name: &'a Spanned<String>,
    pub clauses: &'a Map,
    /// The contract of the table that is loaded, if there is one.
    pub contract: Option<Arc<Contract>>,
    /// The contracts of all tables that a list of loads names; the first among them.
    pub contracts: Vec<Arc<Contract>>,
    /// Value mappings and defaults that shared files give this table.
    pub values: BTreeMap<String, Node>,
    pub defaults: BTreeMap<String, Node>,
    /// Whether rows of the table reach a target.
    pub loaded: bool,
}

/// The state of lowering one table.
pub struct Lowering<'a> {
    pub table: TableContext<'a>,
    /// All value mappings, for those that are named.
    pub named_values: &'a PerColumn,
    /// The tables and extracts that are already lowered.
    pub relations: &'a BTreeMap<String, Flow>,
    /// The texts that columns of sources and staged tables have, where they are few.
    pub texts: &'a Texts,
    pub templates: &'a Templates,
    pub binder: &'a dyn Binder,
    pub target: &'a dyn Target,
    pub target_schema: Option<&'a str>,
    pub namespace: &'a str,
    pub sources: &'a SourceMap,
    /// Whether the engine must be asked about an expression of this table: it might refuse it.
    pub unsure: bool,
    pub out: &'a mut Diagnostics,
}

impl Lowering<'_> {
    /// Reads a value that holds a SQL expression; names in it are not looked up yet.
    pub fn expression(&mut self, node: &Node, what: &str) -> Option<Expr> {
        match &node.value {
            Value::Null => Some(Expr::null(node.span)),
            Value::Boolean(b) => Some(Expr::boolean(*b, node.span)),
            Value::Number(n) => Some(Expr::number(n, node.span)),
            Value::Text { .. } | Value::List(_) | Value::Map(_) => {
                let text = node.expect_text(what, self.out)?;
                self.parse(&text)
            }
        }
    }

    /// Renders and parses the text of an expression.
    pub fn parse(&mut self, text: &Spanned<String>) -> Option<Expr> {
        let rendered = self.templates.expression(text, self.out)?;
        let exact = rendered.exact && self.sources.snippet(text.span) == text.value;
        parse::expression(&rendered.text, text.span, exact, self.out)
    }

    /// Calls a macro on an expression.
    pub fn apply(&mut self, name: &Spanned<String>, argument: &Expr) -> Option<Expr> {
        let text = self.templates.apply(name, "\"#value\"", self.out)?;
        let mut called = parse::expression(&text, name.span, false, self.out)?;
        substitute(&mut called, "#value", argument);
        Some(called)
    }

    /// Reads, looks up and types an expression over the flow.
    pub fn typed_expression(&mut self, node: &Node, what: &str, flow: &Flow) -> Option<(Expr, DataType)> {
        let expr = self.expression(node, what)?;
        let expr = self.resolve(expr, flow)?;
        let data_type = self.type_of(&expr, flow);
        Some((expr, data_type))
    }

    /// Returns the type of a resolved expression, asking the engine where our own rules do not know.
    ///
    /// What the engine refuses is reported at the expression, and its type stays unknown.
    pub fn type_of(&mut self, expr: &Expr, flow: &Flow) -> DataType {
        let known = typing::type_of(expr, &|name| flow.column(name).map(|c| c.data_type.clone()));
        if known != DataType::Unknown || is_unknown_anyway(expr, flow) {
            return known;
        }
        match self.binder.type_of(&flow.relation, expr) {
            Ok(data_type) => data_type,
            Err(message) => {
                self.refused(innermost(expr, &flow.relation, self.binder).span, &message);
                DataType::Unknown
            }
        }
    }

    /// Reports what the engine says against an expression.
    pub fn refused(&mut self, span: Span, message: &str) {
        let (message, help) = engine_words(message);
        let diagnostic = self.out.error("E0320", span, message);
        if let Some(help) = help {
            diagnostic.help(help);
        }
    }

    /// Tries something of which a failure is no news to the author.
    pub fn silently<T>(&mut self, attempt: impl FnOnce(&mut Self) -> T) -> T {
        let heard = std::mem::take(self.out);
        let result = attempt(self);
        *self.out = heard;
        result
    }

    /// Finds where the author wrote a column: in `map`, else in `derive`.
    pub fn written_at(&self, column: &str) -> Option<Span> {
        ["map", "derive"].iter().find_map(|clause| match &self.table.clauses.get(clause)?.value {
            Value::Map(map) => map.entries.iter().find(|(name, _)| name.value == column).map(|(name, _)| name.span),
            _ => None,
        })
    }

    /// Makes the column that an expression defines.
    pub fn column(&self, name: &str, expr: &Expr, data_type: DataType, flow: &Flow) -> Column {
        super::resolve::column(name, expr, data_type, flow)
    }
}

/// Finds the smallest part of a refused expression that the engine refuses on its own.
pub fn innermost(expr: &Expr, input: &Relation, binder: &dyn Binder) -> Expr {
    let wrong = expr.children().into_iter().find(|child| binder.type_of(input, child).is_err());
    wrong.map_or(expr.clone(), |child| innermost(child, input, binder))
}

/// Replaces the name `placeholder` by an expression.
pub fn substitute(expr: &mut Expr, placeholder: &str, by: &Expr) {
    if matches!(&expr.kind, crate::expr::ExprKind::Name(parts) if parts.len() == 1 && parts[0] == placeholder) {
        *expr = by.clone();
        return;
    }
    for child in expr.children_mut() {
        substitute(child, placeholder, by);
    }
}

/// Tells whether an expression is a bare NULL, or a column of which only NULLs were seen: the engine knows no more.
fn is_unknown_anyway(expr: &Expr, flow: &Flow) -> bool {
    match &expr.kind {
        crate::expr::ExprKind::Literal(_) => true,
        crate::expr::ExprKind::Column(name) => flow.column(name).is_some(),
        crate::expr::ExprKind::Field(inner, _) => is_unknown_anyway(inner, flow),
        _ => false,
    }
}

/// Turns the engine's message into one line in our manner, and its hint if it has one.
pub fn engine_words(message: &str) -> (String, Option<String>) {
    if message.contains("extension 'icu") || message.contains("extension \"icu") {
        let help = "Where the day or the hour of an instant is wanted, its zone must be said: cast the instant's text, or keep it as timestamptz.";
        return ("this needs the rules of time zones, which the engine does not have".to_string(), Some(help.to_string()));
    }
    let mut lines = message.lines().map(str::trim).filter(|l| !l.is_empty());
    let first = lines.next().unwrap_or("the engine refuses this expression");
    let first = first.split_once(" Error: ").map_or(first, |(_, rest)| rest);
    let hint = lines.find(|l| {
        l.starts_with("Candidate") && !l.ends_with(':') || l.starts_with("Did you mean") || l.contains("explicit type casts")
    });
    let mut text = first.trim_end_matches(['.', '!']).to_string();
    if let Some(head) = text.get(..1) {
        text = head.to_lowercase() + text.get(1..).unwrap_or("");
    }
    (text, hint.map(|h| if h.ends_with('?') { h.to_string() } else { format!("{}.", h.trim_end_matches('.')) }))
}
