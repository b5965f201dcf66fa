//! What an upsert makes of its `set` and `when`.

use sqlparser::dialect::MsSqlDialect;
use sqlparser::parser::Parser;

use super::AzureSql;
use super::merge::{self, exact_columns, exact_with_set};
use crate::contract::Generated;
use crate::diagnostics::{Diagnostics, SourceMap, Span};
use crate::emit::merge::{Plan, sayable};
use crate::emit::rows::Evidence;
use crate::emit::{Column, Guard, Mode, Table, Upsert};
use crate::expr::{Expr, parse};
use crate::types::DataType;

fn expression(text: &str) -> Expr {
    let span = Span { file: SourceMap::default().add("test", text), start: 0, end: text.len() as u32 };
    let mut out = Diagnostics::default();
    parse::expression(text, span, true, &mut out).unwrap_or_else(|| panic!("{:?}", out.into_sorted()))
}

fn columns() -> Vec<Column> {
    let kinds = [
        ("id", DataType::Integer),
        ("a", DataType::Integer),
        ("name", DataType::Varchar(9)),
        ("version", DataType::Integer),
        ("at", DataType::Timestamp(None)),
        ("moment", DataType::TimestampTz(None)),
        ("raw", DataType::Bytes),
    ];
    let column = |(name, data_type): (&str, DataType)| Column {
        name: name.to_string(),
        data_type,
        type_name: None,
        generated: Generated::No,
    };
    kinds.into_iter().map(column).collect()
}

/// An upsert that loads `id` and `a` into a table that has more columns.
fn table(set: &[(&str, &str)], when: Option<&str>, when_changed: &[&str], keep: &[&str]) -> Table {
    let names = |list: &[&str]| list.iter().map(|c| c.to_string()).collect();
    let upsert = Upsert {
        keep: names(keep),
        when_changed: names(when_changed),
        set: set.iter().map(|(c, value)| (c.to_string(), expression(value))).collect(),
        when: when.map(expression),
        columns: columns(),
    };
    Table {
        number: 1,
        schema: None,
        name: "t".to_string(),
        columns: columns().into_iter().take(2).collect(),
        mode: Mode::Upsert(Box::new(upsert)),
        key: vec!["id".to_string()],
        rows: 2,
        overriding_identity: false,
        in_cycle: false,
    }
}

/// The values that rows get, and which rows change; the statements are read by a second parser.
fn changes(table: &Table) -> Option<(Vec<String>, String)> {
    sayable(&AzureSql, table, "in T-SQL").unwrap();
    let evidence = Evidence { rows: 2, checksum: 0, compared: vec![None, None], nulls: vec![false, false] };
    let plan = Plan::new(&AzureSql, table, &evidence);
    let sql = merge::merge(&plan);
    Parser::parse_sql(&MsSqlDialect {}, &sql).unwrap_or_else(|wrong| panic!("{wrong}\n{sql}"));
    let (given, condition) = plan.changes()?;
    assert!(sql.contains(&format!("WHERE {condition};")), "{sql}");
    Some((given.into_iter().map(|(c, value)| format!("{c} = {value}")).collect(), condition))
}

fn refused(set: &[(&str, &str)], when: Option<&str>) -> String {
    let error = sayable(&AzureSql, &table(set, when, &[], &[]), "in T-SQL").unwrap_err();
    assert_eq!(error.code, "X0401");
    error.message
}

const DIFFER: &str = "EXISTS (\n  SELECT s.[a]\n  EXCEPT\n  SELECT t.[a]\n)";

#[test]
fn rows_change_as_set_and_when_say() {
    let version = "version = CAST(t.[version] AS int) + 1".to_string();
    let comes = "a = s.[a]".to_string();
    let count = [("version", "t.version + 1")];
    let newer = "CAST(s.[a] AS int) > CAST(t.[a] AS int)".to_string();
    for (table, expected) in [
        (table(&[], None, &[], &[]), Some((vec![comes.clone()], DIFFER.to_string()))),
        // Without a word on when, what comes must differ: a second run counts no version.
        (table(&count, None, &[], &[]), Some((vec![comes.clone(), version.clone()], DIFFER.to_string()))),
        (table(&count, Some("s.a > t.a"), &[], &[]), Some((vec![comes.clone(), version.clone()], newer.clone()))),
        (table(&[], Some("s.a > t.a"), &[], &[]), Some((vec![comes.clone()], format!("{newer}\n  AND {DIFFER}")))),
        (table(&count, Some("s.a > t.a"), &["a"], &["a"]), Some((vec![version.clone()], format!("{newer}\n  AND {DIFFER}")))),
        // What is set is no value that comes: nothing else could differ.
        (
            table(&[("a", "t.a + s.a")], None, &[], &[]),
            Some((vec!["a = CAST(t.[a] AS int) + CAST(s.[a] AS int)".to_string()], "1 = 1".to_string())),
        ),
        (table(&[], Some("s.a > t.a"), &[], &["a"]), None),
    ] {
        assert_eq!(changes(&table), expected);
    }
}

#[test]
fn a_condition_stands_by_itself() {
    let either = table(&[], Some("s.a > t.a or t.version is null"), &[], &[]);
    let (_, condition) = changes(&either).unwrap();
    let written = "(CAST(s.[a] AS int) > CAST(t.[a] AS int) OR CAST(t.[version] AS int) IS NULL)\n  AND EXISTS";
    assert!(condition.starts_with(written), "{condition}");
}

#[test]
fn values_are_those_of_the_engine() {
    let text = "(CAST(t.[name] AS nvarchar(max))) COLLATE Latin1_General_100_BIN2";
    for (column, value, expected) in [
        ("name", "t.name || 'x'", format!("name = CAST(({text}) AS nvarchar(max)) + N'x'")),
        ("name", "NULL", "name = NULL".to_string()),
        ("name", "t.name", "name = t.[name]".to_string()),
        ("raw", "t.raw", "raw = t.[raw]".to_string()),
        ("at", "now()", "at = SYSUTCDATETIME()".to_string()),
        ("moment", "now()", "moment = SYSDATETIMEOFFSET()".to_string()),
        ("a", "t.a // 2", "a = CAST(t.[a] AS int) / 2".to_string()),
    ] {
        let (given, _) = changes(&table(&[(column, value)], None, &[], &[])).unwrap();
        assert_eq!(given.last(), Some(&expected), "{value}");
    }
}

#[test]
fn what_t_sql_cannot_say_or_keep_is_refused() {
    for (column, value, what) in [
        ("a", "t.a / 2", "double as the value of `a`, which is integer"),
        ("a", "t.name", "varchar(9) as the value of `a`"),
        ("name", "lower(t.name)", "the function `lower`"),
        ("name", "now()", "the present time as varchar(9)"),
        ("a", "max(t.a)", "the aggregate `max`"),
        ("other", "t.a", "the column `other`, whose type no contract tells"),
    ] {
        let message = refused(&[(column, value)], None);
        assert!(message.contains(what), "{message}");
    }
    assert!(refused(&[], Some("t.raw = s.raw")).contains("a comparison of"));
    assert!(refused(&[], Some("t.a + 1")).contains("a condition that is integer"));
}

#[test]
fn what_is_set_is_compared_after_a_rollback_though_it_was_not_loaded() {
    let table = table(&[("version", "t.version + 1"), ("name", "s.name")], None, &[], &[]);
    let evidence = Evidence { rows: 2, checksum: 0, compared: vec![None, None], nulls: vec![false, false] };
    let plan = Plan::new(&AzureSql, &table, &evidence);
    assert_eq!(exact_columns(&plan, "k").len(), 2);
    assert_eq!(
        exact_with_set(&plan, "k")[2..],
        [
            "CONVERT(nvarchar(max), k.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(k.[name])".to_string(),
            "k.[version]".to_string()
        ]
    );
}

#[test]
fn the_guard_looks_at_what_is_set_or_looked_at() {
    let table = table(&[("version", "t.version + 1"), ("a", "s.a + t.a")], Some("t.at is null and s.a > 0"), &[], &[]);
    let evidence = Evidence { rows: 2, checksum: 0, compared: vec![None, None], nulls: vec![false, false] };
    let guard = AzureSql.target_fits(&[Plan::new(&AzureSql, &table, &evidence)]);
    // Number, place, name, relation, column, whether it is written, whether a number of its own is given.
    for (column, rest) in [("id", "1, 0"), ("a", "1, 0"), ("version", "1, 0"), ("at", "0, 0")] {
        let found = guard.matches(&format!("N'{column}', {rest})")).count();
        assert_eq!(found, 1, "{column}: {guard}");
    }
    assert!(!guard.contains("N'name'") && !guard.contains("N'moment'"), "{guard}");
}
