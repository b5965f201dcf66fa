//! How Azure SQL and SQL Server judge values.
//!
//! Sources: the Transact-SQL reference, data types (character, date and time, money, float), CREATE TABLE (index key sizes). Texts are
//! compared by the collations of their columns; see [`collated`].

use std::sync::Arc;

use super::code_page::CodePage;
use super::collation::{Collation, Equality};
use super::{ColumnRule, Target, collated};
use crate::check::{Declared, Measure, UniqueKey, WrittenKey};
use crate::contract::ddl::Flavor;
use crate::contract::{Column, Contract};
use crate::diagnostics::Span;
use crate::expr::{BinaryOp, Expr, ExprKind, Literal};
use crate::types::DataType;

/// The most bytes of a key of a clustered index, as a primary key is unless it says otherwise, and of any other.
const CLUSTERED: u32 = 900;
const NONCLUSTERED: u32 = 1_700;

pub struct AzureSql;

impl Target for AzureSql {
    fn name(&self) -> &'static str {
        "azure_sql"
    }

    fn flavor(&self) -> Flavor {
        Flavor::Tsql
    }

    fn usual_schema(&self) -> &'static str {
        "dbo"
    }

    fn identifier_limit(&self) -> usize {
        128
    }

    fn column_checks(&self, column: &Column) -> Vec<Declared> {
        let span = column.span;
        let mut rules = Rules { column, span, rules: vec![] };
        if column.data_type.is_text() || matches!(column.data_type, DataType::Json { .. } | DataType::Named(_)) {
            rules.text();
        }
        if column.not_null {
            let fails = rules.here().is_null();
            rules.add("not_null", fails, "a value", |rule, _| {
                Some(format!("Give a value where there is none: `default: {{{}: ...}}`.", rule.column))
            });
        }
        if let DataType::Varchar(limit) | DataType::Char(limit) = column.data_type {
            rules.length(limit);
        }
        rules.ranges();
        rules.rules.into_iter().map(|r| r.enforced(span)).collect()
    }

    fn adapt(&self, declared: Declared, contract: &Contract) -> Declared {
        match declared.check.measure() {
            Measure::Unique(key) => {
                let form = |equality| {
                    let parts = key.parts.iter().cloned();
                    parts.map(|part| collated::key_of(part, contract, equality)).collect::<Vec<Expr>>()
                };
                let (parts, surely) = (form(Equality::Possible), form(Equality::Sure));
                let only_where = key.only_where.map(|condition| collated::condition(condition, contract));
                // An index has nothing but columns; how they are sorted is no matter.
                let written = key.written.map(|w| WrittenKey { parts: vec![], ..w });
                // One NULL is all that a unique key takes.
                let key = UniqueKey { parts, surely, columns: key.columns, nulls_equal: true, only_where, written };
                let check = collated::Collated::of_key(declared.check.clone(), Measure::Unique(key), contract);
                Declared { check: Arc::new(check), ..declared }
            }
            Measure::Row(fails) => {
                let measure = Measure::Row(collated::condition(fails, contract));
                Declared { check: Arc::new(collated::Collated::new(declared.check.clone(), measure)), ..declared }
            }
            Measure::References { columns, table, references, .. } => {
                let compared = columns.iter().map(|c| collated::column(c, declared.span, contract)).collect();
                let measure = Measure::References { columns, table, references, compared };
                let check = collated::Collated::of_key(declared.check.clone(), measure, contract);
                Declared { check: Arc::new(check), ..declared }
            }
            Measure::Count(_) | Measure::Total { .. } | Measure::Fresh { .. } | Measure::Agreement(_) => declared,
        }
    }

    fn knows_collation(&self, name: &str) -> bool {
        Collation::parse(name).is_some()
    }

    fn in_doubt(&self, contract: &Contract) -> Vec<(String, String)> {
        let mut compared: Vec<&Column> = vec![];
        let mut found = vec![];
        for declared in contract.checks.iter().filter(|c| c.enforced) {
            let columns = declared.check.columns();
            let named = || columns.iter().filter_map(|name| contract.column(name)).filter(|c| c.data_type.is_text());
            match declared.check.measure() {
                Measure::Unique(key) => key.parts.iter().for_each(|part| compared.extend(collated::texts(part, contract))),
                Measure::References { .. } => compared.extend(named()),
                Measure::Row(fails) => {
                    compared.extend(collated::texts(&fails, contract));
                    if collated::orders_texts(&fails, contract) {
                        let what = format!("{} {}", declared.check.rule(), columns.join(", "));
                        found.push((what, "which text comes first is the collation's to say".to_string()));
                    }
                }
                Measure::Count(_) | Measure::Total { .. } | Measure::Fresh { .. } | Measure::Agreement(_) => {}
            }
        }
        for column in contract.columns.iter().filter(|c| compared.iter().any(|other| other.name == c.name)) {
            let Some(name) = &column.collation else { continue };
            let why = match Collation::parse(name) {
                None => format!("the collation `{name}` is not known: it was judged by the usual one"),
                Some(known) if !known.is_known() => {
                    format!(
                        "what letters the collation `{name}` takes for equal is its language's to say: such as may be equal were taken for it"
                    )
                }
                Some(_) => continue,
            };
            found.push((format!("texts of {}", column.name), why));
        }
        for column in &contract.columns {
            if let Some(page) = CodePage::of(column).filter(|page| column.data_type.is_text() && !page.is_known()) {
                let why = format!(
                    "which characters code page {} has is not known; those beyond ASCII were counted as two bytes",
                    page.0
                );
                found.push((format!("characters of {}", column.name), why));
            }
        }
        found
    }

    fn lost(&self, column: &Column, text: &str) -> String {
        CodePage::of(column).map_or_else(String::new, |page| page.lacks(text))
    }

    fn table_checks(&self, contract: &Contract) -> Vec<Declared> {
        let mut checks = vec![];
        let mut add = |columns: &[String], limit: u32| {
            let columns: Vec<&Column> = columns.iter().filter_map(|name| contract.column(name)).collect();
            let most: u64 = columns.iter().map(|c| u64::from(widest(c))).sum();
            let Some(first) = columns.first() else { return };
            if most <= u64::from(limit) {
                return;
            }
            let bytes = columns.iter().map(|c| bytes(c)).reduce(|a, b| a.binary(BinaryOp::Add, b));
            let Some(bytes) = bytes else { return };
            let rule = ColumnRule {
                rule: "length",
                column: first.name.clone(),
                fails: bytes.binary(BinaryOp::Greater, Expr::number(limit, first.span)),
                allowed: format!("at most {limit} bytes in the key of the index"),
                suggest: |_, _| Some("Shorten the value, or make the key of shorter columns.".to_string()),
            };
            checks.push(rule.enforced(first.span));
        };
        add(&contract.primary_key, CLUSTERED);
        for declared in &contract.checks {
            if let Measure::Unique(key) = declared.check.measure()
                && key.parts.len() == declared.check.columns().len()
                && declared.check.columns() != contract.primary_key
            {
                add(&declared.check.columns(), NONCLUSTERED);
            }
        }
        for index in &contract.indexes {
            add(&index.columns, NONCLUSTERED);
        }
        checks
    }
}

/// Collects the rules of one column.
struct Rules<'a> {
    column: &'a Column,
    span: Span,
    rules: Vec<ColumnRule>,
}

impl Rules<'_> {
    fn here(&self) -> Expr {
        Expr::column(&self.column.name, self.span)
    }

    fn add(
        &mut self,
        rule: &'static str,
        fails: Expr,
        allowed: impl Into<String>,
        suggest: fn(&ColumnRule, &str) -> Option<String>,
    ) {
        self.rules.push(ColumnRule { rule, column: self.column.name.clone(), fails, allowed: allowed.into(), suggest });
    }

    fn text(&mut self) {
        // It can be stored, but comparisons skip it and many functions end there.
        let nul = Expr::call("chr", vec![Expr::number(0, self.span)], self.span);
        let fails = Expr::call("contains", vec![self.here(), nul], self.span);
        self.add("text", fails, "text without the character U+0000", |_, _| {
            Some("Take it out: `replace(column, chr(0), '')`.".to_string())
        });
        if let Some(page) = CodePage::of(self.column)
            && let Some(class) = page.class()
        {
            let pattern = Expr::text(format!("[^{class}]"), self.span);
            let fails = Expr::call("regexp_matches", vec![self.here(), pattern], self.span);
            self.add("text", fails, format!("characters of code page {}", page.0), |rule, value| {
                let page = rule.allowed.rsplit(' ').next().and_then(|n| n.parse().ok()).map(CodePage);
                let lost = page.map_or_else(String::new, |page| page.lacks(value));
                Some(format!("The column would store `?` for `{lost}`. Make it `nvarchar`, or replace these characters."))
            });
        }
    }

    fn length(&mut self, limit: u32) {
        let length = Expr::call("length", vec![self.here()], self.span);
        let long = |length: Expr| length.binary(BinaryOp::Greater, Expr::number(limit, self.span));
        if let Some(page) = CodePage::of(self.column) {
            let fails = long(page.bytes(self.here()));
            return match page {
                CodePage::UTF8 => self.add("length", fails, format!("at most {limit} bytes of UTF-8"), |_, value| {
                    Some(format!("It has {}. Shorten it, or widen the column.", value.len()))
                }),
                _ => self.add("length", fails, format!("at most {limit} bytes"), |_, value| {
                    Some(format!("It has {}. Shorten it, or widen the column.", value.chars().count()))
                }),
            };
        }
        let fails = long(length.clone())
            .or(long(length.binary(BinaryOp::Multiply, Expr::number(2, self.span))).and(long(units(self.here()))));
        self.add("length", fails, format!("at most {limit} characters, those beyond U+FFFF counted twice"), |_, value| {
            Some(format!("It has {}. Shorten it, or widen the column.", value.encode_utf16().count()))
        });
    }

    fn ranges(&mut self) {
        let span = self.span;
        let literal = |kind: DataType, text: &str| Expr::new(ExprKind::Literal(Literal::Typed(kind, text.into())), span);
        let stamp = |text: &str| literal(DataType::Timestamp(None), text);
        let typed = |text: &str| match self.column.data_type {
            DataType::Date => literal(DataType::Date, text),
            DataType::TimestampTz(_) => literal(DataType::TimestampTz(None), text),
            _ => stamp(text),
        };
        let digits = |text: &str| Expr::number(text, span);
        let outside = |value: &Expr, low: Expr, high: Expr| {
            value.clone().binary(BinaryOp::Less, low).or(value.clone().binary(BinaryOp::Greater, high))
        };
        let here = self.here();
        let type_name = self.column.type_name.as_deref().unwrap_or_default().to_lowercase();
        let (fails, allowed) = match (&self.column.data_type, type_name.as_str()) {
            (_, "datetime") => {
                (outside(&here, stamp("1753-01-01 00:00:00"), stamp("9999-12-31 23:59:59.997")), "a date from 1753 to 9999")
            }
            (_, "smalldatetime") => {
                (outside(&here, stamp("1900-01-01 00:00:00"), stamp("2079-06-06 23:59:29")), "a date from 1900 to 2079-06-06")
            }
            (_, "money") => {
                (outside(&here, digits("-922337203685477.5808"), digits("922337203685477.5807")), "at most 922337203685477.5807")
            }
            (_, "smallmoney") => (outside(&here, digits("-214748.3648"), digits("214748.3647")), "at most 214748.3647"),
            (DataType::Date, _) => (outside(&here, typed("0001-01-01"), typed("9999-12-31")), "a date from the year 1 to 9999"),
            // Compared as they are: parts of an instant depend on a zone.
            (DataType::Timestamp(_), _) => (
                outside(&here, typed("0001-01-01 00:00:00"), typed("9999-12-31 23:59:59.999999")),
                "a date from the year 1 to 9999",
            ),
            (DataType::TimestampTz(_), _) => (
                outside(&here, typed("0001-01-01 00:00:00+00"), typed("9999-12-31 23:59:59.999999+00")),
                "a date from the year 1 to 9999",
            ),
            (DataType::Time, _) => {
                let end = literal(DataType::Time, "23:59:59.999999");
                (here.binary(BinaryOp::Greater, end), "a time before 24:00:00")
            }
            (DataType::Double, _) => {
                (unfit(here, "2.2250738585072014e-308", span), "a finite number that is not smaller than 2.2e-308")
            }
            (DataType::Real, _) => (unfit(here, "1.17549435e-38", span), "a finite number that is not smaller than 1.2e-38"),
            _ => return,
        };
        self.add("range", fails, allowed, |_, _| None);
    }
}

/// Says that a floating point number is NaN, infinite, or so small that the server makes it zero or refuses it.
fn unfit(here: Expr, smallest: &str, span: Span) -> Expr {
    let finite = Expr::call("isfinite", vec![here.clone()], span);
    let size = Expr::call("abs", vec![here.clone()], span);
    let tiny = size.binary(BinaryOp::Less, Expr::number(smallest, span));
    finite.negate().or(here.binary(BinaryOp::NotEqual, Expr::number(0, span)).and(tiny))
}

/// The number of UTF-16 code units of a text.
fn units(text: Expr) -> Expr {
    let span = text.span;
    let pattern = Expr::text("[^\\x{10000}-\\x{10FFFF}]", span);
    let beyond = Expr::call("regexp_replace", vec![text.clone(), pattern, Expr::text("", span), Expr::text("g", span)], span);
    Expr::call("length", vec![text], span).binary(BinaryOp::Add, Expr::call("length", vec![beyond], span))
}

/// The bytes of a column's value in an index.
fn bytes(column: &Column) -> Expr {
    let here = Expr::column(&column.name, column.span);
    if !column.data_type.is_text() {
        return Expr::number(widest(column), column.span);
    }
    let length = match CodePage::of(column) {
        Some(page) => page.bytes(here),
        None => units(here).binary(BinaryOp::Multiply, Expr::number(2, column.span)),
    };
    Expr::call("coalesce", vec![length, Expr::number(0, column.span)], column.span)
}

/// The most bytes that a column may take in an index.
fn widest(column: &Column) -> u32 {
    let each = if CodePage::of(column).is_some() { 1 } else { 2 };
    match &column.data_type {
        DataType::Varchar(n) | DataType::Char(n) => n.saturating_mul(each),
        // Columns without a limit cannot be keys at all; what they are elsewhere is not known.
        DataType::Boolean => 1,
        DataType::SmallInt => 2,
        DataType::Integer | DataType::Real | DataType::Date => 4,
        DataType::Uuid => 16,
        DataType::Decimal(_) | DataType::HugeInt => 17,
        DataType::TimestampTz(_) => 10,
        _ => 8,
    }
}

#[cfg(test)]
#[path = "azure_sql_tests.rs"]
mod tests;
