//! The assertions of a deploy script: what must be so before and after, else nothing is done.
//!
//! In: tables. Out: statements that throw an error naming the table, what was expected and what was found.
//! Does not know how rows are merged.

use super::merge::exact_columns;
use super::{AzureSql, relation, stage, text};
use crate::emit::merge::{Plan, within};
use crate::emit::{Guard, Literal, Mode, Table};

impl Guard for AzureSql {
    fn target_fits(&self, plans: &[Plan]) -> String {
        let mut wanted = vec![];
        for table in plans.iter().map(|p| p.table) {
            let loaded = table.columns.iter().map(|c| (c.name.as_str(), Use::Loaded));
            for (i, (column, used)) in loaded.chain(beside(table)).enumerate() {
                wanted.push(format!(
                    "    ({}, {}, {}, {}, {}, {}, {})",
                    table.number,
                    i + 1,
                    text::literal(&table.shown()),
                    text::literal(&relation(table)),
                    text::literal(column),
                    u8::from(used != Use::Read),
                    u8::from(used == Use::Loaded && table.overriding_identity)
                ));
            }
        }
        format!(
            "DECLARE @problems nvarchar(max), @message nvarchar(2048);
WITH wanted AS (
  SELECT v.* FROM (VALUES
{}
  ) AS v (number, place, shown, relation, name, written, overriding)
), found AS (
  SELECT w.*, OBJECT_ID(w.relation) AS id, c.column_id, c.is_computed, c.is_identity, c.generated_always_type,
    TYPE_NAME(c.system_type_id) AS type_name
  FROM wanted AS w
  LEFT JOIN sys.columns AS c ON c.object_id = OBJECT_ID(w.relation) AND c.name = w.name
), problem AS (
  SELECT DISTINCT number, 0 AS place, CONCAT(N'table ', shown, N' does not exist') AS problem FROM found WHERE id IS NULL
  UNION ALL
  SELECT number, place, CONCAT(N'table ', shown, N' has no column ', name) FROM found WHERE id IS NOT NULL AND column_id IS NULL
  UNION ALL
  SELECT number, place, CONCAT(N'column ', name, N' of table ', shown, N' is computed by the database')
  FROM found WHERE written = 1 AND (is_computed = 1 OR generated_always_type <> 0 OR type_name = N'timestamp')
  UNION ALL
  SELECT number, place, CONCAT(N'column ', name, N' of table ', shown, N' is numbered by the database alone')
  FROM found WHERE is_identity = 1 AND written = 1 AND overriding = 0
)
SELECT @problems = STRING_AGG(CONVERT(nvarchar(max), problem), N'; ') WITHIN GROUP (ORDER BY number, place) FROM problem;
IF @problems IS NOT NULL
BEGIN
  SET @message = LEFT(CONCAT(N'the target does not fit this script: ', REPLACE(@problems, N'%', N'%%')), 2000);
  THROW 50001, @message, 1;
END;
",
            wanted.join(",\n")
        )
    }

    fn none_there(&self, plan: &Plan) -> String {
        let table = plan.table;
        let (relation, stage) = (relation(table), stage(table));
        if plan.key.is_empty() {
            // Without a key only this can be told: all of the rows there already, each as often as here, means a second run.
            let numbered = |alias: &str, from: &str| {
                let list = exact_columns(plan, alias).join(", ");
                format!(
                    "SELECT {list}, ROW_NUMBER() OVER (PARTITION BY {list} ORDER BY (SELECT NULL)) AS pipe_copy FROM {from} AS {alias}"
                )
            };
            let message = format!(
                "table {}: expected none of the {} rows, found all of them: was this script run before?",
                table.shown(),
                table.rows
            );
            return format!(
                "DECLARE @message nvarchar(2048);
IF {} > 0 AND NOT EXISTS (
  {}
  EXCEPT
  {}
)
BEGIN
  SET @message = {};
  THROW 50003, @message, 1;
END;
",
                table.rows,
                numbered("s", &stage),
                numbered("t", &relation),
                thrown(&message)
            );
        }
        let shown: Vec<String> =
            table.loaded_key().iter().map(|k| format!("CONVERT(nvarchar(400), s.{})", text::identifier(k))).collect();
        format!(
            "DECLARE @found bigint, @example nvarchar(2000), @message nvarchar(2048);
SELECT @found = COUNT_BIG(*), @example = MIN(CONCAT(N'(', {}, N')'))
FROM {stage} AS s
INNER JOIN {relation} AS t WITH (UPDLOCK, HOLDLOCK) ON {};
IF @found > 0
BEGIN
  SET @message = LEFT(CONCAT({}, @found, N', such as ', REPLACE(@example, N'%', N'%%'), N': was this script run before?'), 2000);
  THROW 50003, @message, 1;
END;
",
            shown.join(", N', ', "),
            plan.same_row(),
            thrown(&format!("table {}: expected none of the {} keys, found ", table.shown(), table.rows))
        )
    }

    fn none_beyond(&self, plan: &Plan, scope: &[(String, Literal)]) -> String {
        let within = format!("NOT EXISTS (SELECT 1 WHERE {})", within(&AzureSql, "t", scope));
        let (shown, rows) = (plan.table.shown(), plan.table.rows);
        let before = format!("table {shown}: expected none of the {rows} keys beyond the replaced scope, found ");
        no_match(plan, &within, &before, ", such as ")
    }

    fn none_differs(&self, plan: &Plan) -> String {
        let Some(differ) = plan.differ(&plan.may_differ()) else { return String::new() };
        let before = format!("table {}: rows are only appended, but ", plan.table.shown());
        no_match(plan, &differ, &before, " of them are there with other content, such as ")
    }

    fn all_there(&self, plan: &Plan) -> String {
        format!(
            "DECLARE @found bigint, @message nvarchar(2048);
SELECT @found = COUNT_BIG(*)
FROM {} AS s
INNER JOIN {} AS t ON {};
{}",
            stage(plan.table),
            relation(plan.table),
            plan.same_row(),
            expect(plan.table, plan.table.rows, "rows with these keys after the load")
        )
    }
}

/// What a script does with a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Loaded,
    Set,
    Read,
}

/// The columns of the target that an upsert sets or looks at and that are not loaded.
fn beside(table: &Table) -> Vec<(&str, Use)> {
    let Mode::Upsert(upsert) = &table.mode else { return vec![] };
    let used = |name: &str| if upsert.sets(name) { Use::Set } else { Use::Read };
    let mentioned = upsert.mentioned().into_iter().filter(|name| table.position(name).is_none());
    mentioned.map(|name| (name, used(name))).collect()
}

/// Throws if a row of the stage meets a row of the same key of which a condition holds; how many there are stands between two texts, and one
/// of them behind.
fn no_match(plan: &Plan, condition: &str, before: &str, behind: &str) -> String {
    let shown: Vec<String> =
        plan.table.loaded_key().iter().map(|k| format!("CONVERT(nvarchar(400), s.{})", text::identifier(k))).collect();
    format!(
        "DECLARE @found bigint, @example nvarchar(2000), @message nvarchar(2048);
SELECT @found = COUNT_BIG(*), @example = MIN(CONCAT(N'(', {}, N')'))
FROM {} AS s
INNER JOIN {} AS t WITH (UPDLOCK, HOLDLOCK) ON {}
WHERE {condition};
IF @found > 0
BEGIN
  SET @message = LEFT(CONCAT({}, @found, N'{behind}', REPLACE(@example, N'%', N'%%')), 2000);
  THROW 50003, @message, 1;
END;
",
        shown.join(", N', ', "),
        stage(plan.table),
        relation(plan.table),
        plan.same_row(),
        thrown(before)
    )
}

/// Checks that all rows of the script arrived, and those of a replaced scope in that scope.
pub fn all_staged(table: &Table) -> String {
    let stage = stage(table);
    let mut sql = format!(
        "DECLARE @found bigint, @message nvarchar(2048);\nSELECT @found = COUNT_BIG(*) FROM {stage};\n{}",
        expect(table, table.rows, "rows in this script")
    );
    if let Mode::Replace { scope } = &table.mode
        && !scope.is_empty()
    {
        sql += &format!(
            "SELECT @found = COUNT_BIG(*) FROM {stage} AS s WHERE NOT EXISTS (SELECT 1 WHERE {});\n{}",
            within(&AzureSql, "s", scope),
            expect(table, 0, "rows outside of the replaced scope")
        );
    }
    sql
}

/// Throws unless the variable `@found` is as expected.
pub fn expect(table: &Table, expected: u64, what: &str) -> String {
    format!(
        "IF @found <> {expected}
BEGIN
  SET @message = CONCAT({}, @found);
  THROW 50002, @message, 1;
END;
",
        thrown(&format!("table {}: expected {expected} {what}, found ", table.shown()))
    )
}

/// Makes a constant of a text for THROW, which takes a percent sign for the beginning of a place holder.
pub fn thrown(message: &str) -> String {
    text::literal(&message.replace('%', "%%"))
}
