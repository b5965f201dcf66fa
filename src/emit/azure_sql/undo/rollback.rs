//! `rollback.sql`: brings back what was there before a deployment.
//!
//! In: plans of merges, and the names of what the deployment has kept. Out: one transaction that makes sure that nothing has changed since and
//! nobody refers to what goes, takes away what came, brings back what was there, compares, and drops what was kept.
//! Does not know how rows were merged.

use super::super::guard::thrown;
use super::super::merge::exact_with_set;
use super::super::{cycle, object_id, relation, text};
use super::{HASH, exists, keeps_rows, name};
use crate::emit::load::{Kept, Step};
use crate::emit::merge::Plan;

/// Makes sure that all rows are as the deployment left them.
fn unchanged(kept: &Kept, plan: &Plan) -> String {
    let (table, target, number) = (plan.table, relation(plan.table), plan.table.number);
    let after = name(kept, &format!("_{number}_after"));
    let same = plan.same_key("t", "k");
    let changed = format!(
        "table {}: rows that were changed or deleted since the deployment, so that nothing was rolled back: ",
        table.shown()
    );
    let mut sql = format!(
        "DECLARE @found bigint, @message nvarchar(2048);
SELECT @found = COUNT_BIG(*) FROM {after} AS k
WHERE NOT EXISTS (SELECT 1 FROM {target} AS t WITH (UPDLOCK, HOLDLOCK) WHERE {same} AND {HASH} = k.pipe_left);
{}",
        none(&changed)
    );
    if plan.goes().is_some() {
        let came = format!(
            "table {}: rows that came since the deployment where it had deleted some, so that nothing was rolled back: ",
            table.shown()
        );
        sql += &format!(
            "SELECT @found = COUNT_BIG(*) FROM {} AS k
INNER JOIN {target} AS t WITH (UPDLOCK, HOLDLOCK) ON {same}
WHERE k.pipe_action = N'd';
{}",
            name(kept, &format!("_{number}_before")),
            none(&came)
        );
    }
    sql
}

/// Deletes what came.
fn delete(kept: &Kept, plan: &Plan) -> String {
    format!(
        "DELETE t\nFROM {} AS t\nINNER JOIN {} AS k ON {}\nWHERE k.pipe_action = N'i';\n",
        relation(plan.table),
        name(kept, &format!("_{}_after", plan.table.number)),
        plan.same_key("t", "k")
    )
}

/// Gives changed rows their values back, then brings deleted rows back, and compares.
fn restore(kept: &Kept, plan: &Plan) -> String {
    let (table, target) = (plan.table, relation(plan.table));
    let before = name(kept, &format!("_{}_before", table.number));
    let same = plan.same_key("t", "k");
    let mut sql = "DECLARE @found bigint, @message nvarchar(2048);\n".to_string();
    if let Some((columns, _)) = plan.changes() {
        let set: Vec<String> = columns.iter().map(|(c, _)| format!("t.{0} = k.{0}", text::identifier(c))).collect();
        sql += &format!(
            "UPDATE t\nSET {}\nFROM {target} AS t\nINNER JOIN {before} AS k ON {same}\nWHERE k.pipe_action = N'u';\n",
            set.join(",\n    ")
        );
    }
    if plan.goes().is_some() {
        sql += &format!(
            "DECLARE @columns nvarchar(max), @sql nvarchar(max);
SELECT @columns = STRING_AGG(CONVERT(nvarchar(max), QUOTENAME(c.name)), N', ') WITHIN GROUP (ORDER BY c.column_id)
FROM sys.columns AS c
WHERE c.object_id = {id} AND c.is_computed = 0 AND c.generated_always_type = 0 AND TYPE_NAME(c.system_type_id) <> N'timestamp';
SET @sql = CONCAT(N'INSERT INTO ', {target_text}, N' (', @columns, N') SELECT ', @columns, N' FROM ', {before_text}, N' WHERE pipe_action = N''d'';');
IF EXISTS (SELECT 1 FROM sys.identity_columns WHERE object_id = {id})
  SET @sql = CONCAT(N'SET IDENTITY_INSERT ', {target_text}, N' ON; ', @sql, N' SET IDENTITY_INSERT ', {target_text}, N' OFF;');
EXEC sys.sp_executesql @sql;\n",
            id = object_id(table),
            target_text = text::literal(&target),
            before_text = text::literal(&before)
        );
    }
    let exact = |alias: &str| exact_with_set(plan, alias).join(", ");
    sql + &format!(
        "SELECT @found = COUNT_BIG(*) FROM {before} AS k
WHERE NOT EXISTS (
  SELECT 1 FROM {target} AS t
  WHERE {same} AND NOT EXISTS (SELECT {} EXCEPT SELECT {})
);
{}",
        exact("k"),
        exact("t"),
        none(&format!(
            "table {}: rows that would not be as they were before the deployment, so that nothing was rolled back: ",
            table.shown()
        ))
    )
}

/// Throws unless the variable `@found` is zero.
fn none(message: &str) -> String {
    format!("IF @found <> 0\nBEGIN\n  SET @message = CONCAT({}, @found);\n  THROW 50005, @message, 1;\nEND;\n", thrown(message))
}

/// Counts the rows of others that refer, by a foreign key that acts, to rows which go.
const REFERRED: &str = "DECLARE @sql nvarchar(max);
WITH acting AS (
  SELECT f.object_id, CONCAT(QUOTENAME(OBJECT_SCHEMA_NAME(f.parent_object_id)), N'.', QUOTENAME(OBJECT_NAME(f.parent_object_id))) AS child,
    (SELECT STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'c.', QUOTENAME(COL_NAME(x.parent_object_id, x.parent_column_id)), N' = t.', QUOTENAME(COL_NAME(x.referenced_object_id, x.referenced_column_id)))), N' AND ')
     FROM sys.foreign_key_columns AS x WHERE x.constraint_object_id = f.object_id) AS refers
  FROM sys.foreign_keys AS f
  WHERE f.is_disabled = 0 AND f.delete_referential_action <> 0 AND f.referenced_object_id = @target@ AND f.parent_object_id NOT IN (@own@)
)
SELECT @sql = STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'IF EXISTS (SELECT 1 FROM ', child, N' AS c INNER JOIN ', @relation@, N' AS t ON ', refers, N' INNER JOIN ', @after@, N' AS k ON ', @same@,
  N' WHERE k.pipe_action = N''i'') THROW 50006, N''rows of another table refer to rows that the deployment brought: nothing was rolled back'', 1;')), N' ')
FROM acting;
IF @sql IS NOT NULL EXEC sys.sp_executesql @sql;
";

/// Sets triggers aside, which would change what is restored.
const TRIGGERS_OFF: &str = "DROP TABLE IF EXISTS #pipe_triggers;
CREATE TABLE #pipe_triggers (relation nvarchar(520) NOT NULL, name nvarchar(260) NOT NULL);
INSERT INTO #pipe_triggers (relation, name)
SELECT CONCAT(QUOTENAME(OBJECT_SCHEMA_NAME(g.parent_id)), N'.', QUOTENAME(OBJECT_NAME(g.parent_id))), QUOTENAME(g.name)
FROM sys.triggers AS g
WHERE g.is_disabled = 0 AND g.parent_id IN (@own@);
DECLARE @sql nvarchar(max);
SELECT @sql = STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'ALTER TABLE ', relation, N' DISABLE TRIGGER ', name, N';')), N' ')
FROM #pipe_triggers;
IF @sql IS NOT NULL EXEC sys.sp_executesql @sql;
";

const TRIGGERS_ON: &str = "DECLARE @sql nvarchar(max);
SELECT @sql = STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'ALTER TABLE ', relation, N' ENABLE TRIGGER ', name, N';')), N' ')
FROM #pipe_triggers;
IF @sql IS NOT NULL EXEC sys.sp_executesql @sql;
";

/// The steps of `rollback.sql`.
pub fn steps(kept: &Kept, plans: &[Plan]) -> Vec<Step> {
    let mut steps = vec![];
    let mut step = |title: &str, sql: &str| steps.push(Step::new(title, sql.to_string()));
    let keyed: Vec<&Plan> = plans.iter().filter(|p| !p.key.is_empty()).collect();
    step(
        "The deployment was here and can be undone.",
        &format!(
            "DECLARE @message nvarchar(2048);
IF {} IS NULL
  THROW 50007, {}, 1;
",
            exists(kept, ""),
            text::literal(&format!(
                "nothing to roll back: run {} was not deployed here, or changed nothing, or was rolled back already",
                kept.run
            ))
        ),
    );
    step(
        "Nothing stands in its way.",
        &format!(
            "DECLARE @message nvarchar(2048);
SELECT TOP (1) @message = CONCAT(N'this deployment cannot be rolled back: ', REPLACE(problem, N'%', N'%%')) FROM {} ORDER BY number;
IF @message IS NOT NULL THROW 50008, @message, 1;
",
            name(kept, "")
        ),
    );
    for plan in &keyed {
        step(&format!("Every row of {} is as the deployment left it.", plan.table.shown()), &unchanged(kept, plan));
    }
    let own: Vec<String> = plans.iter().map(|p| object_id(p.table)).collect();
    let own = own.join(", ");
    for plan in &keyed {
        let sql = REFERRED
            .replace("@target@", &object_id(plan.table))
            .replace("@own@", &own)
            .replace("@relation@", &text::literal(&relation(plan.table)))
            .replace("@after@", &text::literal(&name(kept, &format!("_{}_after", plan.table.number))))
            .replace("@same@", &text::literal(&plan.same_key("t", "k")));
        step(&format!("Nobody refers to a row of {} that goes.", plan.table.shown()), &sql);
    }
    step("Triggers of the target wait.", &TRIGGERS_OFF.replace("@own@", &own));
    step("Foreign keys among these tables are checked once all rows are there.", &cycle::suspend(std::iter::once(plans)));
    for plan in keyed.iter().rev() {
        step(&format!("What came into {} goes.", plan.table.shown()), &delete(kept, plan));
    }
    for plan in keyed.iter().filter(|p| keeps_rows(p)) {
        step(&format!("What was in {} comes back.", plan.table.shown()), &restore(kept, plan));
    }
    step("The foreign keys that waited are checked now.", cycle::RESUME);
    step("Triggers work again.", TRIGGERS_ON);
    steps
}

#[cfg(test)]
mod tests {
    use crate::emit::azure_sql::AzureSql;
    use crate::emit::rows::Evidence;
    use crate::emit::{Column, Header, Mode, Script, Table, Upsert, script};
    use crate::types::DataType;

    fn table(mode: Mode) -> (Table, Evidence) {
        let column = |name: &str| Column {
            name: name.to_string(),
            data_type: DataType::Integer,
            type_name: None,
            generated: crate::contract::Generated::No,
        };
        let table = Table {
            number: 1,
            schema: Some("s".to_string()),
            name: "t".to_string(),
            columns: vec![column("id"), column("a")],
            mode,
            key: vec!["id".to_string()],
            rows: 2,
            overriding_identity: false,
            in_cycle: false,
        };
        (table, Evidence { rows: 2, checksum: 0, compared: vec![None, None], nulls: vec![false, false] })
    }

    fn undone(mode: Mode) -> String {
        let tables = [table(mode)];
        let header = Header { run_id: "a1".to_string(), ..Header::default() };
        let script = Script { header: &header, tables: &tables, format: crate::emit::rows::RowFormat::Copy, undo: true };
        let mut out = vec![];
        script::rollback(&AzureSql, &script, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_what_a_mode_can_do_is_undone() {
        let inserted = undone(Mode::Insert);
        assert!(inserted.contains("DELETE t\nFROM [s].[t] AS t\nINNER JOIN [s].[pipe_undo_a1_1_after] AS k"), "{inserted}");
        assert!(!inserted.contains("_before"), "{inserted}");
        let changed = undone(Mode::Upsert(Box::<Upsert>::default()));
        assert!(changed.contains("SET t.[a] = k.[a]") && !changed.contains("N''d''"), "{changed}");
        let replaced = undone(Mode::Replace { scope: vec![] });
        assert!(
            replaced.contains("WHERE pipe_action = N''d''")
                && replaced.contains("DROP TABLE [s].[pipe_undo_a1], [s].[pipe_undo_a1_1_before]"),
            "{replaced}"
        );
    }
}
