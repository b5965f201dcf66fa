//! Where a contract and the database differ.
//!
//! In: the contracts of some tables and what the database has under the same names. Out: each difference with what either side says.
//! Names of constraints, the order of columns and the ways to write one condition are no differences; indexes that the database has
//! besides are none either, since they forbid no row. Does not know where either list came from.

use std::collections::BTreeMap;

use crate::check::{Check, Measure, UniqueKey};
use crate::contract::{Column, Contract, ForeignKey, Generated};
use crate::diagnostics::Span;
use crate::expr::{Expr, ExprKind};
use crate::sql;

/// One thing that the two sides do not agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub table: String,
    /// The column, if it is about one.
    pub column: Option<String>,
    /// `table`, `column`, `type`, `collation`, `not_null`, `default`, `generated`, `primary_key`, `unique`, `foreign_key`, `check`, `index`.
    pub kind: &'static str,
    /// What the contract says; `None` where it says nothing.
    pub contract: Option<String>,
    /// What the database says; `None` where it says nothing.
    pub database: Option<String>,
    /// The place in the contract.
    pub span: Span,
    /// Whether rows that the contract lets pass are kept all the same: the database only allows or fills more.
    pub harmless: bool,
}

/// What two lists of contracts do not agree on, and what nobody can tell.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    pub differences: Vec<Difference>,
    /// Constraints that stand on both sides in words that cannot be compared.
    pub incomparable: Vec<String>,
}

/// How a kind of database writes what is compared.
pub(super) struct Words {
    /// The schema of names that have none.
    pub(super) schema: &'static str,
    pub(super) typed: fn(&Column) -> String,
    /// Whether names stand in brackets.
    pub(super) brackets: bool,
    /// Whether unique keys say how they take NULLs, and do not all take one.
    pub(super) nulls: bool,
    /// The collation of texts that name none, where collations are compared.
    pub(super) collation: Option<&'static str>,
}

/// Compares contracts with what the database has; `None` where there is no such table.
pub(super) fn compare(words: &Words, pairs: &[(&Contract, Option<&Contract>)]) -> Comparison {
    let mut found = Comparison::default();
    for (contract, live) in pairs {
        match live {
            Some(live) => Sides { words, contract, live, found: &mut found }.compare(),
            None => found.differences.push(Difference {
                table: words.shown(contract),
                column: None,
                kind: "table",
                contract: Some("exists".into()),
                database: None,
                span: contract.span,
                harmless: false,
            }),
        }
    }
    found
}

impl Words {
    /// Names a table for the reader, with its schema where that is not the usual one.
    fn shown(&self, contract: &Contract) -> String {
        match contract.schema.as_deref() {
            Some(schema) if schema != self.schema => format!("{schema}.{}", contract.table),
            _ => contract.table.clone(),
        }
    }

    /// Takes out of SQL text what the server adds or leaves out: spaces, parentheses, casts, brackets of names, and capitals outside of quotes.
    fn plain(&self, text: &str) -> String {
        let mut kept = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or("");
            match c {
                '\'' | '"' => {
                    let end = after.find(c).map_or(after.len(), |i| i + 1);
                    kept.push(c);
                    kept.push_str(after.get(..end).unwrap_or(after));
                    rest = after.get(end..).unwrap_or("");
                }
                ':' if after.starts_with(':') => {
                    let type_name = after.get(1..).unwrap_or("").trim_start();
                    let end = type_name.find(|c: char| !(c.is_alphanumeric() || "_.[]\"".contains(c))).unwrap_or(type_name.len());
                    rest = type_name.get(end..).unwrap_or("");
                    for more in [" varying", " precision", " without time zone", " with time zone"] {
                        rest = rest.strip_prefix(more).unwrap_or(rest);
                    }
                }
                c if c.is_whitespace() || c == '(' || c == ')' => rest = after,
                '[' | ']' if self.brackets => rest = after,
                // The mark of Unicode, where no name ends.
                'N' | 'n'
                    if self.brackets && after.starts_with('\'') && !kept.ends_with(|c: char| c.is_alphanumeric() || c == '_') =>
                {
                    rest = after;
                }
                c => {
                    kept.extend(c.to_lowercase());
                    rest = after;
                }
            }
        }
        kept
    }
}

struct Sides<'a> {
    words: &'a Words,
    contract: &'a Contract,
    live: &'a Contract,
    found: &'a mut Comparison,
}

impl Sides<'_> {
    fn compare(&mut self) {
        for column in &self.contract.columns {
            match self.live.column(&column.name) {
                Some(live) => self.column(column, live),
                None => self.add(Some(&column.name), "column", Some((self.words.typed)(column)), None, column.span),
            }
        }
        for live in &self.live.columns {
            if self.contract.column(&live.name).is_none() {
                self.add(Some(&live.name), "column", None, Some((self.words.typed)(live)), self.contract.span);
                self.last_is_harmless(!live.not_null || live.default.is_some() || live.generated != Generated::No);
            }
        }
        if self.contract.primary_key != self.live.primary_key {
            let key = |c: &Contract| (!c.primary_key.is_empty()).then(|| format!("({})", c.primary_key.join(", ")));
            self.add(None, "primary_key", key(self.contract), key(self.live), self.contract.span);
            self.last_is_harmless(self.live.primary_key.is_empty());
        }
        self.sets("unique", &uniques(self.contract, self.words), &uniques(self.live, self.words));
        let schema = self.words.schema;
        self.sets("foreign_key", &foreign_keys(self.contract, schema), &foreign_keys(self.live, schema));
        self.sets("check", &checks(self.contract), &checks(self.live));
        self.unjudged();
        for index in &self.contract.indexes {
            let same = |columns: &[String]| columns == index.columns;
            let unique =
                || self.live.checks.iter().any(|c| matches!(c.check.measure(), Measure::Unique(_)) && same(&c.check.columns()));
            if !index.columns.is_empty() && !self.live.indexes.iter().any(|i| same(&i.columns)) && !unique() {
                let text = format!("({})", index.columns.join(", "));
                self.add(None, "index", Some(text), None, self.contract.span);
                self.last_is_harmless(true);
            }
        }
    }

    fn add(&mut self, column: Option<&str>, kind: &'static str, contract: Option<String>, database: Option<String>, span: Span) {
        let (table, column) = (self.words.shown(self.contract), column.map(str::to_string));
        self.found.differences.push(Difference { table, column, kind, contract, database, span, harmless: false });
    }

    fn last_is_harmless(&mut self, harmless: bool) {
        if let Some(last) = self.found.differences.last_mut() {
            last.harmless = harmless;
        }
    }

    fn column(&mut self, ours: &Column, live: &Column) {
        let name = Some(ours.name.as_str());
        let last = |c: &Column| (self.words.typed)(c).rsplit('.').next().unwrap_or_default().to_lowercase();
        let computed = ours.generated == Generated::Computed;
        if last(ours) != last(live) && !(computed && (self.words.typed)(ours) == "unknown") {
            self.add(name, "type", Some((self.words.typed)(ours)), Some((self.words.typed)(live)), ours.span);
        }
        if let (Some(usual), true) = (self.words.collation, ours.data_type.is_text() && live.data_type.is_text()) {
            let say = |c: &Column| c.collation.clone().unwrap_or_else(|| usual.to_string());
            let (a, b) = (say(ours), say(live));
            if !a.eq_ignore_ascii_case(&b) {
                let compared = is_compared(self.contract, &ours.name) || is_compared(self.live, &live.name);
                let alike = told_apart(&a) == told_apart(&b);
                self.add(name, "collation", Some(a), Some(b), ours.span);
                self.last_is_harmless(alike || !compared);
            }
        }
        if ours.not_null != live.not_null {
            let say = |c: &Column| Some(if c.not_null { "NOT NULL" } else { "may be NULL" }.to_string());
            self.add(name, "not_null", say(ours), say(live), ours.span);
            self.last_is_harmless(!live.not_null);
        }
        if ours.generated != live.generated {
            let say = |c: &Column| Some(generated(c.generated).to_string());
            self.add(name, "generated", say(ours), say(live), ours.span);
        } else if ours.generated == Generated::No {
            let (a, b) =
                (ours.default.as_deref().map(|d| self.words.plain(d)), live.default.as_deref().map(|d| self.words.plain(d)));
            // Two spellings of one expression cannot be told from two expressions; two constants can.
            let constants = [&a, &b].iter().all(|d| d.as_deref().is_some_and(is_constant));
            if a.is_some() != b.is_some() || constants && a != b {
                self.add(name, "default", ours.default.clone(), live.default.clone(), ours.span);
                self.last_is_harmless(a.is_none());
            }
        }
    }

    /// Lists what stands on one side only; what is said twice must be said twice on the other side.
    fn sets(&mut self, kind: &'static str, ours: &Said, live: &Said) {
        for (key, (text, span)) in ours {
            if !live.contains_key(key) {
                self.add(None, kind, Some(text.clone()), None, *span);
                self.last_is_harmless(true);
            }
        }
        for (key, (text, _)) in live {
            if !ours.contains_key(key) {
                self.add(None, kind, None, Some(text.clone()), self.contract.span);
            }
        }
    }

    /// Compares what neither side could read as a rule: by name where there is one, else by text.
    fn unjudged(&mut self) {
        let sides = [unjudged(self.contract, self.words), unjudged(self.live, self.words)];
        let [ours, live] = &sides;
        for (key, (text, normal, span)) in ours {
            match live.get(key) {
                Some((_, other, _)) if other == normal => {}
                Some((other, ..)) => {
                    let table = self.words.shown(self.contract);
                    self.found.incomparable.push(format!("{table}: `{text}` in the contract, `{other}` in the database"));
                }
                None => {
                    self.add(None, "check", Some(text.clone()), None, *span);
                    self.last_is_harmless(true);
                }
            }
        }
        for (key, (text, ..)) in live {
            if !ours.contains_key(key) {
                self.add(None, "check", None, Some(text.clone()), self.contract.span);
            }
        }
    }
}

/// Whether a constraint compares the texts of a column.
fn is_compared(contract: &Contract, column: &str) -> bool {
    contract.checks.iter().any(|c| c.check.columns().iter().any(|name| name == column))
        || contract.unjudged.iter().any(|(text, _)| text.contains(column))
}

/// What a collation tells apart, without its version and what only functions and storage see.
fn told_apart(collation: &str) -> String {
    let upper = collation.to_ascii_uppercase();
    let plain = |w: &&str| w.parse::<u16>().is_err() && !["SQL", "CP1", "PREF", "SC"].contains(w);
    upper.split('_').filter(plain).collect::<Vec<_>>().join("_")
}

/// What one side says, by a key that does not depend on how it is written.
type Said = BTreeMap<String, (String, Span)>;

fn generated(generated: Generated) -> &'static str {
    match generated {
        Generated::No => "written by the pipeline",
        Generated::ByDefault => "counted by the database unless given",
        Generated::Always => "counted by the database",
        Generated::Computed => "computed by the database",
    }
}

/// Writes an expression in one way, whatever way it was written in.
fn normal(expr: &Expr) -> String {
    sql::expression(&sql::duckdb::DuckDb, expr).unwrap_or_else(|_| format!("{:?}", expr.kind))
}

fn uniques(contract: &Contract, words: &Words) -> Said {
    let mut said = Said::new();
    for declared in contract.checks.iter().filter(|c| c.enforced) {
        if let Measure::Unique(mut key) = declared.check.measure() {
            key.nulls_equal &= words.nulls;
            let columns: Vec<String> = key.parts.iter().map(normal).collect();
            let plain_key = key.only_where.is_none() && contract.primary_key == declared.check.columns();
            if !plain_key || columns.len() != contract.primary_key.len() {
                said.insert(unique_key(&key), (unique_text(&key), declared.span));
            }
        }
    }
    said
}

fn unique_key(key: &UniqueKey) -> String {
    // The order of the parts changes what an index serves, but not which rows are equal.
    let mut parts: Vec<String> = key.parts.iter().map(normal).collect();
    parts.sort();
    format!("{parts:?} {} {:?}", key.nulls_equal, key.only_where.as_ref().map(normal))
}

fn unique_text(key: &UniqueKey) -> String {
    let shown = |part: &Expr| match &part.kind {
        ExprKind::Column(name) => name.clone(),
        _ => normal(part),
    };
    let parts: Vec<String> = key.parts.iter().map(shown).collect();
    let nulls = if key.nulls_equal { " NULLS NOT DISTINCT" } else { "" };
    let only = key.only_where.as_ref().map(|w| format!(" WHERE {}", normal(w))).unwrap_or_default();
    format!("({}){nulls}{only}", parts.join(", "))
}

fn foreign_keys(contract: &Contract, schema: &str) -> Said {
    let mut said = Said::new();
    for key in &contract.foreign_keys {
        let text = foreign_key(key, schema);
        said.insert(text.clone(), (text, contract.span));
    }
    said
}

fn foreign_key(key: &ForeignKey, usual: &str) -> String {
    let schema = key.schema.as_deref().filter(|s| *s != usual).map(|s| format!("{s}.")).unwrap_or_default();
    let delete = key.on_delete.as_deref().filter(|d| *d != "no action").map(|d| format!(" on delete {d}")).unwrap_or_default();
    let deferrable = if key.deferrable { " deferrable" } else { "" };
    format!("({}) references {schema}{} ({}){delete}{deferrable}", key.columns.join(", "), key.table, key.references.join(", "))
}

fn checks(contract: &Contract) -> Said {
    let mut said = Said::new();
    for declared in contract.checks.iter().filter(|c| c.enforced) {
        if let Measure::Row(fails) = declared.check.measure() {
            let check = &declared.check;
            let text = format!("{}: {}", check.columns().join(", "), check.allowed());
            said.insert(check_key(&**check, &fails), (text, declared.span));
        }
    }
    said
}

fn check_key(check: &dyn Check, fails: &Expr) -> String {
    if check.rule() == "one_of" {
        // The order of a list says nothing.
        let allowed = check.allowed();
        let mut values: Vec<&str> = allowed.strip_prefix("one of ").unwrap_or(&allowed).split(", ").collect();
        values.sort_unstable();
        return format!("one_of {:?} {values:?}", check.columns());
    }
    format!("{:?} {}", check.columns(), normal(fails))
}

/// What could not be read as a rule, by its name or else its text.
fn unjudged(contract: &Contract, words: &Words) -> BTreeMap<String, (String, String, Span)> {
    let mut found = BTreeMap::new();
    for (text, span) in &contract.unjudged {
        let (name, body) = match text.strip_prefix("CONSTRAINT ").and_then(|rest| rest.split_once(' ')) {
            Some((name, body)) => (Some(name.to_string()), body),
            None => (None, text.as_str()),
        };
        let normal = words.plain(body);
        found.insert(name.unwrap_or_else(|| normal.clone()), (text.clone(), normal, *span));
    }
    found
}

/// Tells whether a default in [`Words::plain`] form is a constant.
fn is_constant(text: &str) -> bool {
    text.starts_with('\'') || text.parse::<f64>().is_ok() || ["true", "false", "null"].contains(&text)
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
