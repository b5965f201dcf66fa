//! Carries the texts of few words by their numbers: a number is a byte where a text takes sixteen, so that joins keep and spill less, and
//! what is stored by numbers in the end need not be looked up row by row.
//!
//! In: a relation that is about to be staged. Out: the same columns and rows, with a column `#number.c` more for each column `c` whose text
//! follows from the number of one text that is stored so. Does not know how tables are stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::judge::print;
use super::{Facts, lock};
use crate::diagnostics::Span;
use crate::error::Error;
use crate::expr::{BinaryOp, Expr, ExprKind, Literal, OrderBy, UnaryOp};
use crate::plan::Plan;
use crate::relation::{JoinKind, Relation, number_of};
use crate::source::Texts;
use crate::types::DataType;

/// Stands for the word that a number means, in an expression that is made of it.
const WORD: &str = "#word";

/// The most parts of what is made of all words, each by itself: the engine's time to plan grows with them.
const PARTS: usize = 4_096;

/// The tables and what they store by numbers.
pub struct Stored<'a> {
    pub plan: &'a Plan,
    pub facts: &'a Mutex<Facts>,
}

/// A relation that carries numbers.
#[derive(Clone)]
pub struct Carried {
    pub relation: Relation,
    pub columns: BTreeMap<String, Carry>,
}

/// A text that follows from the number of a word.
#[derive(Clone)]
pub struct Carry {
    /// In the order of their numbers.
    pub words: BTreeSet<String>,
    /// What is made of [`WORD`]; `None`: the word itself.
    made: Option<Expr>,
    /// Whether the numbers are counted from one, zero being NULL, and not the values of an enumeration.
    pub counted: bool,
}

impl Stored<'_> {
    /// What a name stands for that is no table of the engine's.
    fn viewed(&self, name: &str) -> Option<&Relation> {
        match self.plan.table(name) {
            Some(table) => (!table.staged).then_some(&table.relation),
            None => self.plan.extracts.iter().find(|e| e.extract.request.name == name)?.pinned.as_ref().map(|p| &p.relation),
        }
    }

    fn texts(&self, table: &str) -> Texts {
        let source = || self.plan.extracts.iter().find(|e| e.extract.request.staged() == table).map(|e| e.source.texts());
        let staged = lock(self.facts).tables.get(table).map(|known| known.numbered.clone());
        staged.or_else(source).unwrap_or_default()
    }

    /// Makes a relation carry the numbers of its texts: they go through joins and choices of rows and columns, and end at all else.
    pub fn carry(&self, relation: &Relation) -> Carried {
        match relation {
            Relation::Scan { table } => match self.viewed(table).map(|view| self.carry(view)) {
                Some(view) if !view.columns.is_empty() => view,
                Some(_) => Carried::nothing(relation),
                None => {
                    let carry = |(name, words)| (name, Carry { words, made: None, counted: false });
                    Carried { relation: relation.clone(), columns: self.texts(table).into_iter().map(carry).collect() }
                }
            },
            Relation::Project { input, columns } => self.carry(input).project(columns),
            Relation::Filter { input, predicate } => self.carry(input).filter(predicate),
            Relation::Sort { input, order_by } => self.carry(input).sort(order_by),
            Relation::Join { left, right, kind, on } => {
                let (mut left, mut right) = (self.carry(left), self.carry(right));
                if *kind == JoinKind::Full {
                    left.keep_words();
                }
                if *kind != JoinKind::Inner {
                    right.keep_words();
                }
                let mut columns = left.columns;
                columns.append(&mut right.columns);
                let (left, right) = (Box::new(left.relation), Box::new(right.relation));
                let relation = Relation::Join { left, right, kind: *kind, on: by_number(on, &columns) };
                Carried { relation, columns }
            }
            Relation::Unnest { .. }
            | Relation::Distinct { .. }
            | Relation::Aggregate { .. }
            | Relation::Union { .. }
            | Relation::Unpivot { .. }
            | Relation::Query { .. } => Carried::nothing(relation),
        }
    }
}

impl Carried {
    fn nothing(relation: &Relation) -> Carried {
        Carried { relation: relation.clone(), columns: BTreeMap::new() }
    }

    /// Leaves what is made of a word: where an outer join finds no partner there is no word, and nothing is made of it either.
    pub fn keep_words(&mut self) {
        self.columns.retain(|_, carry| carry.made.is_none());
    }

    pub fn filter(self, predicate: &Expr) -> Carried {
        let predicate = self.by_number(predicate);
        Carried { relation: self.relation.filter(predicate), columns: self.columns }
    }

    pub fn sort(self, order_by: &[OrderBy]) -> Carried {
        let key = |key: &OrderBy| OrderBy { expr: self.by_number(&key.expr), ..key.clone() };
        let order_by = order_by.iter().map(key).collect();
        Carried { relation: self.relation.sort(order_by), columns: self.columns }
    }

    pub fn project(self, columns: &[(String, Expr)]) -> Carried {
        let (mut shown, mut numbers, mut carried) = (vec![], vec![], BTreeMap::new());
        for (name, expr) in columns {
            if let Some((column, carry)) = self.follows(expr) {
                numbers.push((number_of(name), Expr::column(number_of(column), expr.span)));
                carried.insert(name.clone(), carry);
            }
            let picked = matches!(expr.kind, ExprKind::Column(_));
            shown.push((name.clone(), if picked { expr.clone() } else { self.by_number(expr) }));
        }
        shown.append(&mut numbers);
        Carried { relation: self.relation.project(shown), columns: carried }
    }

    /// The column whose number an expression's text follows from, and how.
    pub fn follows(&self, expr: &Expr) -> Option<(&str, Carry)> {
        let mut columns = BTreeSet::new();
        expr.walk(&mut |part| {
            if let ExprKind::Column(name) = &part.kind {
                columns.insert(name);
            }
        });
        let mut columns = columns.into_iter();
        let (Some(column), None) = (columns.next(), columns.next()) else { return None };
        let (column, carry) = self.columns.get_key_value(column)?;
        if matches!(expr.kind, ExprKind::Column(_)) {
            return Some((column, carry.clone()));
        }
        let is_text = match &expr.kind {
            ExprKind::Case { .. } => true,
            ExprKind::Call(call) => call.function == "coalesce",
            _ => false,
        };
        if !is_text || !is_plain(expr) {
            return None;
        }
        let word = carry.made.clone().unwrap_or_else(|| Expr::column(WORD, expr.span));
        let made = with(expr, column, &word);
        let mut parts = 0;
        made.walk(&mut |_| parts += 1);
        (parts * carry.words.len() <= PARTS).then(|| (column.as_str(), Carry { made: Some(made), ..carry.clone() }))
    }

    /// The same expression, whose texts are read by their numbers.
    pub fn by_number(&self, expr: &Expr) -> Expr {
        by_number(expr, &self.columns)
    }
}

fn by_number(expr: &Expr, columns: &BTreeMap<String, Carry>) -> Expr {
    let mut numbered = expr.clone();
    read(&mut numbered, &|name: &str| columns.get(name).is_some_and(Carry::is_word) && times(expr, name) <= 1);
    numbered
}

fn read(expr: &mut Expr, is_numbered: &dyn Fn(&str) -> bool) {
    let number = |expr: &Expr| match &expr.kind {
        ExprKind::Column(name) if is_numbered(name) => Some(Expr::column(number_of(name), expr.span)),
        _ => None,
    };
    if let Some(number) = number(expr) {
        *expr = number.cast(DataType::Text);
        return;
    }
    if let ExprKind::IsNull { operand, .. } = &mut expr.kind
        && let Some(number) = number(operand)
    {
        **operand = number;
        return;
    }
    expr.children_mut().into_iter().for_each(|child| read(child, is_numbered));
}

/// How often the engine would make a column's text from its number for an expression: it compares again for each branch, value and bound.
fn times(expr: &Expr, column: &str) -> usize {
    let of = |expr: &Expr| times(expr, column);
    let all: usize = expr.children().into_iter().map(of).sum();
    match &expr.kind {
        ExprKind::Column(name) => usize::from(name == column),
        ExprKind::IsNull { operand, .. } if matches!(operand.kind, ExprKind::Column(_)) => 0,
        ExprKind::Case { operand: Some(operand), branches, .. } => all + of(operand) * branches.len(),
        ExprKind::InList { operand, list, .. } => all + of(operand) * list.len(),
        ExprKind::Between { operand, .. } => all + of(operand),
        // The name could be that of a parameter.
        ExprKind::Lambda { .. } => all * 2,
        _ => all,
    }
}

impl Carry {
    /// Whether the text is the word itself, which the engine can make of the number.
    fn is_word(&self) -> bool {
        self.made.is_none() && !self.counted
    }

    /// What is made of a word, of which there may be none.
    pub fn made_of(&self, word: &Expr) -> Expr {
        self.made.as_ref().map_or(word.clone(), |made| with(made, WORD, word))
    }

    /// What makes of a number, quoted, that of the text in a type that numbers all texts which can be made.
    pub fn stored(&self, number: &str, texts: &BTreeSet<String>, numbering: &str, span: Span) -> Result<String, Error> {
        if self.is_word() {
            return Ok(if self.words == *texts { number.to_string() } else { format!("CAST({number} AS {numbering})") });
        }
        let words = std::iter::once(Expr::null(span)).chain(self.words.iter().map(|word| Expr::text(word, span)));
        let made = words.map(|word| print(&self.made_of(&word))).collect::<Result<Vec<_>, _>>()?.join(", ");
        let at =
            if self.counted { format!("{number} + 1") } else { format!("coalesce(CAST(enum_code({number}) AS INTEGER) + 2, 1)") };
        // Constants: each is made once, and not once per row.
        Ok(format!("list_extract(CAST([{made}] AS {numbering}[]), {at})"))
    }
}

/// Whether an expression is made of nothing but texts and choices between them, which are the same whenever they are made.
fn is_plain(expr: &Expr) -> bool {
    let here = match &expr.kind {
        ExprKind::Column(_) | ExprKind::Case { .. } | ExprKind::IsNull { .. } | ExprKind::InList { .. } => true,
        ExprKind::Literal(literal) => matches!(literal, Literal::Null | Literal::Text(_)),
        ExprKind::Binary(_, op, _) => matches!(op, BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::And | BinaryOp::Or),
        ExprKind::Unary(op, _) => *op == UnaryOp::Not,
        ExprKind::Call(call) => call.function == "coalesce" && call.over.is_none() && call.filter.is_none(),
        _ => false,
    };
    here && expr.children().into_iter().all(is_plain)
}

/// The expression with another in the place of a column.
fn with(expr: &Expr, column: &str, by: &Expr) -> Expr {
    let mut made = expr.clone();
    made.put(column, by);
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::SourceMap;

    fn span() -> Span {
        Span { file: SourceMap::default().add("t", ""), start: 0, end: 0 }
    }

    /// A relation with a column `kind` of three words.
    fn carried() -> Carried {
        let words = ["a", "b", "c"].map(String::from).into();
        let columns = [("kind".to_string(), Carry { words, made: None, counted: false })].into();
        Carried { relation: Relation::scan("t"), columns }
    }

    /// A mapping of so many values of `kind` to others.
    fn mapping(values: usize) -> Expr {
        let text = |text: String| Expr::text(text, span());
        let kind = || Some(Box::new(Expr::column("kind", span())));
        let branches = (0..values).map(|i| (text(format!("w{i}")), text(format!("x{i}")))).collect();
        Expr::new(ExprKind::Case { operand: kind(), branches, otherwise: kind() }, span())
    }

    /// How a mapping of so many values follows from the words.
    fn mapped(values: usize) -> Option<String> {
        let (carried, span) = (carried(), span());
        let mapping = mapping(values);
        let (column, carry) = carried.follows(&mapping)?;
        assert_eq!(column, "kind");
        Some(carry.stored("n", &["a".to_string()].into(), "ENUM('a')", span).unwrap())
    }

    #[test]
    fn what_is_made_of_words_is_made_once_for_each() {
        let made = |word| format!("CASE {word} WHEN 'w0' THEN 'x0' ELSE {word} END");
        let list = ["NULL", "'a'", "'b'", "'c'"].map(made).join(", ");
        let at = "coalesce(CAST(enum_code(n) AS INTEGER) + 2, 1)";
        assert_eq!(mapped(1), Some(format!("list_extract(CAST([{list}] AS ENUM('a')[]), {at})")));
    }

    #[test]
    fn a_mapping_of_thousands_of_values_is_not_made_again_for_every_word() {
        assert_eq!(mapped(3_000), None);
    }

    #[test]
    fn a_text_is_made_of_its_number_where_that_is_done_once() {
        let read = |expr: &Expr| print(&carried().by_number(expr)).unwrap();
        let kind = Expr::column("kind", span());
        let same = kind.clone().binary(BinaryOp::Equal, Expr::text("a", span()));
        assert_eq!(read(&same), "CAST(\"#number.kind\" AS VARCHAR) = 'a'");
        assert_eq!(
            read(&kind.clone().is_null().or(same.clone())),
            "\"#number.kind\" IS NULL OR CAST(\"#number.kind\" AS VARCHAR) = 'a'"
        );
        assert_eq!(read(&same.clone().or(same.clone())), "\"kind\" = 'a' OR \"kind\" = 'a'");
        assert_eq!(read(&mapping(1)), "CASE \"kind\" WHEN 'w0' THEN 'x0' ELSE \"kind\" END");
        let list = ExprKind::InList {
            operand: Box::new(kind),
            list: vec![Expr::text("a", span()), Expr::text("b", span())],
            negated: false,
        };
        assert_eq!(read(&Expr::new(list, span())), "\"kind\" IN ('a', 'b')");
    }
}
