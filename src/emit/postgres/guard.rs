//! The assertions of a deploy script: what must be so before and after, else nothing is done.
//!
//! In: tables. Out: DO blocks that raise an exception naming the table, what was expected and what was found.
//! Does not know how rows are merged.

use super::{Postgres, relation, stage, text};
use crate::emit::merge::{Plan, within};
use crate::emit::{Guard, Literal, Mode, Table};

impl Guard for Postgres {
    fn target_fits(&self, plans: &[Plan]) -> String {
        let mut wanted = vec![];
        for table in plans.iter().map(|p| p.table) {
            for (i, column) in table.columns.iter().enumerate() {
                wanted.push(format!(
                    "      ({}, {}, {}, {}, {}, {})",
                    table.number,
                    i + 1,
                    text::literal(&table.shown()),
                    text::literal(&relation(table)),
                    text::literal(&column.name),
                    table.overriding_identity
                ));
            }
        }
        let body = format!(
        "DECLARE
  problems text;
BEGIN
  WITH wanted (number, place, shown, relation, name, overriding) AS (
    VALUES
{}
  ), found AS (
    SELECT w.*, to_regclass(w.relation) AS oid, a.attnum, a.attgenerated, a.attidentity
    FROM wanted AS w
    LEFT JOIN pg_catalog.pg_attribute AS a
      ON a.attrelid = to_regclass(w.relation) AND a.attname = w.name AND a.attnum > 0 AND NOT a.attisdropped
  ), problem AS (
    SELECT DISTINCT number, 0 AS place, format('table %s does not exist', shown) AS problem FROM found WHERE oid IS NULL
    UNION ALL
    SELECT number, place, format('table %s has no column %s', shown, name) FROM found WHERE oid IS NOT NULL AND attnum IS NULL
    UNION ALL
    SELECT number, place, format('column %s of table %s is computed by the database', name, shown) FROM found WHERE attgenerated <> ''
    UNION ALL
    SELECT number, place, format('column %s of table %s is numbered by the database alone', name, shown)
    FROM found WHERE attidentity = 'a' AND NOT overriding
  )
  SELECT string_agg(problem, '; ' ORDER BY number, place) INTO problems FROM problem;
  IF problems IS NOT NULL THEN
    RAISE EXCEPTION 'the target does not fit this script: %', problems;
  END IF;
END",
        wanted.join(",\n")
    );
        text::block(&body)
    }

    fn none_there(&self, plan: &Plan) -> String {
        let table = plan.table;
        let (relation, stage) = (relation(table), stage(table));
        let name = text::literal(&table.shown());
        if plan.key.is_empty() {
            let list = |alias| text::names(alias, table.columns.iter().map(|c| c.name.as_str()));
            // Without a key only this can be told: all of the rows there already, each as often as here, means a second run.
            // Mostly the first of them is not there, which is seen much faster.
            let body = format!(
                "BEGIN
  IF {rows} > 0 AND EXISTS (
    SELECT FROM {relation} AS t JOIN (SELECT * FROM {stage} LIMIT 1) AS s
      ON ROW({t})::record OPERATOR(pg_catalog.*=) ROW({s})::record
  ) AND NOT EXISTS (
    SELECT ROW({s})::text FROM {stage} AS s
    EXCEPT ALL
    SELECT ROW({t})::text FROM {relation} AS t
  ) THEN
    RAISE EXCEPTION 'table %: expected none of the % rows, found all of them: was this script run before?', {name}, {rows};
  END IF;
END",
                rows = table.rows,
                s = list("s."),
                t = list("t.")
            );
            return text::block(&body);
        }
        let shown = text::names("s.", table.loaded_key().iter().map(String::as_str));
        let body = format!(
            "DECLARE
  found bigint;
  example text;
BEGIN
  SELECT count(*), min(ROW({shown})::text) INTO found, example
  FROM {stage} AS s JOIN {relation} AS t ON {};
  IF found > 0 THEN
    RAISE EXCEPTION 'table %: expected none of the % keys, found %, such as %: was this script run before?',
      {name}, {}, found, example;
  END IF;
END",
            plan.same_row(),
            table.rows
        );
        text::block(&body)
    }

    fn none_beyond(&self, plan: &Plan, scope: &[(String, Literal)]) -> String {
        let complaint = "table %: expected none of the % keys beyond the replaced scope, found %, such as %";
        let named = format!("{}, {}", text::literal(&plan.table.shown()), plan.table.rows);
        no_match(plan, &format!("({}) IS NOT TRUE", within(&Postgres, "t", scope)), complaint, &named)
    }

    fn none_differs(&self, plan: &Plan) -> String {
        let Some(differ) = plan.differ(&plan.may_differ()) else { return String::new() };
        let complaint = "table %: rows are only appended, but % of them are there with other content, such as %";
        no_match(plan, &differ, complaint, &text::literal(&plan.table.shown()))
    }

    fn all_there(&self, plan: &Plan) -> String {
        let body = format!(
            "DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM {} AS s JOIN {} AS t ON {};
{}END",
            stage(plan.table),
            relation(plan.table),
            plan.same_row(),
            expect(plan.table, plan.table.rows, "rows with these keys after the load")
        );
        text::block(&body)
    }
}

/// Raises a complaint if a row of the stage meets a row of the same key of which a condition holds; it names the table first, and then how
/// many there are and one of them.
fn no_match(plan: &Plan, condition: &str, complaint: &str, named: &str) -> String {
    let body = format!(
        "DECLARE
  found bigint;
  example text;
BEGIN
  SELECT count(*), min(ROW({})::text) INTO found, example
  FROM {} AS s JOIN {} AS t ON {}
  WHERE {condition};
  IF found > 0 THEN
    RAISE EXCEPTION '{complaint}', {named}, found, example;
  END IF;
END",
        text::names("s.", plan.table.loaded_key().iter().map(String::as_str)),
        stage(plan.table),
        relation(plan.table),
        plan.same_row(),
    );
    text::block(&body)
}

/// Checks that all rows of the script arrived, and those of a replaced scope in that scope.
pub fn all_staged(table: &Table) -> String {
    let mut body = format!(
        "DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM {};
{}",
        stage(table),
        expect(table, table.rows, "rows in this script")
    );
    if let Mode::Replace { scope } = &table.mode
        && !scope.is_empty()
    {
        body += &format!(
            "  SELECT count(*) INTO found FROM {} AS s WHERE ({}) IS NOT TRUE;\n{}",
            stage(table),
            within(&Postgres, "s", scope),
            expect(table, 0, "rows outside of the replaced scope")
        );
    }
    text::block(&(body + "END"))
}

/// Raises unless the variable `found` is as expected.
pub fn expect(table: &Table, expected: u64, what: &str) -> String {
    format!(
        "  IF found <> {expected} THEN
    RAISE EXCEPTION 'table %: expected {expected} {what}, found %', {}, found;
  END IF;
",
        text::literal(&table.shown())
    )
}
