//! What a deploy script keeps so that it can be undone, and `rollback.sql`, which undoes it.
//!
//! In: plans of merges. Out: batches that keep, in tables beside the target's, each row as it was before it changes or goes, and of each new
//! or changed row its key and a hash; and the script that brings the former back if the latter are as they were left. A deployment that
//! changes nothing leaves the way back of the one before it. What cannot be told apart afterwards (rows without a key, what a cascade
//! takes along) is noted, and the rollback refuses. Like all of T-SQL here, parsed by the vendor's parser and never run on a server.
//! Does not know how rows are merged.

use std::io::{self, Write};

use super::batch::Batches;
use super::guard::thrown;
use super::merge::Plan;
use super::{cycle, deploy, object_id, relation, same_key, stage, text};
use crate::emit::{Script, Table};

/// A row in a form that only the same row has.
const HASH: &str = "HASHBYTES('SHA2_256', CONVERT(nvarchar(max), (SELECT t.* FOR XML RAW, BINARY BASE64)))";

/// The names of what one run keeps.
pub struct Undo {
    schema: Option<String>,
    /// `pipe_undo_<run>`: the register.
    kept: String,
    run: String,
}

impl Undo {
    /// Names what a script keeps; nothing if it is not to be undone.
    pub fn of(script: &Script) -> Option<Undo> {
        let (first, _) = script.tables.first().filter(|_| script.undo)?;
        let run: String = script.header.run_id.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        Some(Undo { schema: first.schema.clone(), kept: format!("pipe_undo_{run}"), run })
    }

    fn name(&self, suffix: &str) -> String {
        text::relation(self.schema.as_deref(), &format!("{}{suffix}", self.kept))
    }

    fn exists(&self, suffix: &str) -> String {
        format!("OBJECT_ID({})", text::literal(&self.name(suffix)))
    }

    /// What is kept, by what follows the run in its name: first the register, then rows as they were and as they were left.
    fn suffixes(plans: &[Plan]) -> Vec<String> {
        let of = |plan: &Plan| {
            let number = plan.table.number;
            let before = keeps_rows(plan).then(|| format!("_{number}_before"));
            let after = (!plan.key.is_empty()).then(|| format!("_{number}_after"));
            [before, after]
        };
        std::iter::once(String::new()).chain(plans.iter().flat_map(of).flatten()).collect()
    }

    /// Makes the register.
    pub fn begin(&self) -> String {
        let schema = self.schema.as_deref().unwrap_or("dbo");
        format!(
            "IF HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'CREATE TABLE') = 0 OR HAS_PERMS_BY_NAME({}, 'SCHEMA', 'ALTER') = 0
  THROW 50004, {}, 1;
CREATE TABLE {} (number int NOT NULL, problem nvarchar(400) NOT NULL);\n",
            text::literal(&text::identifier(schema)),
            thrown(&format!(
                "the user may not create tables in schema {schema}, where rollback.sql would find the rows as they were: have it granted, or emit the script with --no-rollback"
            )),
            self.name("_new")
        )
    }

    /// Keeps the rows that will change or go, and the keys of those that will come.
    pub fn capture(&self, plan: &Plan) -> String {
        let (table, target, number) = (plan.table, relation(plan.table), plan.table.number);
        let mut parts = vec![];
        if let Some(condition) = plan.goes() {
            let condition = if condition.is_empty() { String::new() } else { format!("\nWHERE {condition}") };
            parts.push(format!(
                "SELECT CONVERT(nchar(1), N'd') AS pipe_action, t.*\nFROM {target} AS t WITH (UPDLOCK, HOLDLOCK){condition}"
            ));
        }
        if let Some((_, condition)) = plan.changes() {
            parts.push(format!(
                "SELECT CONVERT(nchar(1), N'u') AS pipe_action, t.*\nFROM {target} AS t WITH (UPDLOCK, HOLDLOCK)\nINNER JOIN {} AS s ON {}\nWHERE {condition}",
                stage(table),
                plan.same_row()
            ));
        }
        let mut sql = String::new();
        if !parts.is_empty() {
            // A union has no column that numbers itself, as a copy of the table would.
            let none = format!("SELECT TOP (0) CONVERT(nchar(1), N'u') AS pipe_action, t.*\nFROM {target} AS t");
            sql += &format!(
                "SELECT x.*\nINTO {}\nFROM (\n{none}\nUNION ALL\n{}\n) AS x;\n",
                self.name(&format!("_new_{number}_before")),
                parts.join("\nUNION ALL\n")
            );
        }
        if plan.goes().is_some() {
            sql += &format!(
                "IF EXISTS (SELECT 1 FROM {} WHERE pipe_action = N'd') AND EXISTS (SELECT 1 FROM sys.foreign_keys WHERE referenced_object_id = {} AND delete_referential_action <> 0 AND is_disabled = 0)
  INSERT INTO {} (number, problem) VALUES ({number}, {});\n",
                self.name(&format!("_new_{number}_before")),
                object_id(table),
                self.name("_new"),
                text::literal(&format!("rows of table {} were deleted, and a foreign key may have taken others along", table.shown()))
            );
        }
        if plan.key.is_empty() {
            if table.rows > 0 || keeps_rows(plan) {
                sql += &format!(
                    "INSERT INTO {} (number, problem) VALUES ({number}, {});\n",
                    self.name("_new"),
                    text::literal(&format!("table {} has no key by which its rows could be told apart", table.shown()))
                );
            }
            return sql;
        }
        sql + &format!(
            "DROP TABLE IF EXISTS #pipe_come_{number};\nSELECT {}\nINTO #pipe_come_{number}\nFROM {} AS s\nWHERE NOT EXISTS (SELECT 1 FROM {target} AS t WITH (UPDLOCK, HOLDLOCK) WHERE {});\n",
            key_list(plan, "s"),
            stage(table),
            plan.same_row()
        )
    }

    /// Notes how rows were left.
    pub fn note(&self, plan: &Plan) -> String {
        if plan.key.is_empty() {
            return String::new();
        }
        let number = plan.table.number;
        let mut keys =
            format!("  SELECT CONVERT(nchar(1), N'i') AS pipe_action, {} FROM #pipe_come_{number} AS c", key_list(plan, "c"));
        if keeps_rows(plan) {
            keys += &format!(
                "\n  UNION ALL\n  SELECT b.pipe_action, {} FROM {} AS b WHERE b.pipe_action = N'u'",
                key_list(plan, "b"),
                self.name(&format!("_new_{number}_before"))
            );
        }
        format!(
            "SELECT k.pipe_action, {}, {HASH} AS pipe_left\nINTO {}\nFROM (\n{keys}\n) AS k\nINNER JOIN {} AS t ON {};\nDROP TABLE #pipe_come_{number};\n",
            key_list(plan, "k"),
            self.name(&format!("_new_{number}_after")),
            relation(plan.table),
            same_key("t", "k", &plan.key)
        )
    }

    /// Puts what is kept in the place of what an earlier deployment of this run has kept.
    pub fn finish(&self, plans: &[Plan]) -> String {
        let suffixes = Undo::suffixes(plans);
        let new: Vec<String> = suffixes.iter().map(|s| self.name(&format!("_new{s}"))).collect();
        let some: Vec<String> = new.iter().map(|name| format!("EXISTS (SELECT 1 FROM {name})")).collect();
        let old: Vec<String> = suffixes.iter().map(|s| self.name(s)).collect();
        let renamed: Vec<String> = suffixes
            .iter()
            .zip(&new)
            .map(|(suffix, name)| {
                format!(
                    "  EXEC sp_rename @objname = {}, @newname = {}, @objtype = N'OBJECT';\n",
                    text::literal(name),
                    text::literal(&format!("{}{suffix}", self.kept))
                )
            })
            .collect();
        // What changed nothing leaves the way back as it was.
        format!(
            "IF {}\nBEGIN\n  DROP TABLE IF EXISTS {};\n{}END\nELSE\n  DROP TABLE {};\n",
            some.join("\n  OR "),
            old.join(", "),
            renamed.concat(),
            new.join(", ")
        )
    }

    /// Makes sure that all rows are as the deployment left them.
    fn unchanged(&self, plan: &Plan) -> String {
        let (table, target, number) = (plan.table, relation(plan.table), plan.table.number);
        let after = self.name(&format!("_{number}_after"));
        let same = same_key("t", "k", &plan.key);
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
                self.name(&format!("_{number}_before")),
                none(&came)
            );
        }
        sql
    }

    /// Deletes what came.
    fn delete(&self, plan: &Plan) -> String {
        format!(
            "DELETE t\nFROM {} AS t\nINNER JOIN {} AS k ON {}\nWHERE k.pipe_action = N'i';\n",
            relation(plan.table),
            self.name(&format!("_{}_after", plan.table.number)),
            same_key("t", "k", &plan.key)
        )
    }

    /// Gives changed rows their values back, then brings deleted rows back, and compares.
    fn restore(&self, plan: &Plan) -> String {
        let (table, target) = (plan.table, relation(plan.table));
        let before = self.name(&format!("_{}_before", table.number));
        let same = same_key("t", "k", &plan.key);
        let mut sql = "DECLARE @found bigint, @message nvarchar(2048);\n".to_string();
        if let Some((columns, _)) = plan.changes() {
            let set: Vec<String> = columns.iter().map(|c| format!("t.{0} = k.{0}", text::identifier(&c.name))).collect();
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
        let exact = |alias: &str| plan.exact(alias).join(", ");
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
}

/// Whether rows of the target may change or go.
fn keeps_rows(plan: &Plan) -> bool {
    plan.goes().is_some() || plan.changes().is_some()
}

/// The columns of the key of `alias`.
fn key_list(plan: &Plan, alias: &str) -> String {
    plan.key.iter().map(|(name, _)| format!("{alias}.{name}")).collect::<Vec<_>>().join(", ")
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

/// Writes `rollback.sql`.
pub fn write(script: &Script, out: &mut dyn Write) -> io::Result<()> {
    let tables: Vec<&Table> = script.tables.iter().map(|(table, _)| table).collect();
    out.write_all(deploy::header(script.header, &tables).as_bytes())?;
    out.write_all(b"--\n-- Brings back what was there before deploy.sql of this run, unless it has changed since.\n")?;
    out.write_all(b"-- Run with: sqlcmd -b -f 65001 -i rollback.sql, or in Azure Data Studio or SSMS\n\n")?;
    let mut batches = Batches::begin(out)?;
    let Some(undo) = Undo::of(script) else { return batches.end("") };
    let plans: Vec<Plan> = script.tables.iter().map(|(table, evidence)| Plan::new(table, evidence)).collect();
    let keyed: Vec<&Plan> = plans.iter().filter(|p| !p.key.is_empty()).collect();
    batches.batch(
        "The deployment was here and can be undone.",
        &format!(
            "DECLARE @message nvarchar(2048);
IF {} IS NULL
  THROW 50007, {}, 1;
",
            undo.exists(""),
            text::literal(&format!(
                "nothing to roll back: run {} was not deployed here, or changed nothing, or was rolled back already",
                undo.run
            ))
        ),
    )?;
    batches.batch(
        "Nothing stands in its way.",
        &format!(
            "DECLARE @message nvarchar(2048);
SELECT TOP (1) @message = CONCAT(N'this deployment cannot be rolled back: ', REPLACE(problem, N'%', N'%%')) FROM {} ORDER BY number;
IF @message IS NOT NULL THROW 50008, @message, 1;
",
            undo.name("")
        ),
    )?;
    for plan in &keyed {
        batches.batch(&format!("Every row of {} is as the deployment left it.", plan.table.shown()), &undo.unchanged(plan))?;
    }
    let own: Vec<String> = tables.iter().map(|t| object_id(t)).collect();
    let own = own.join(", ");
    for plan in &keyed {
        let sql = REFERRED
            .replace("@target@", &object_id(plan.table))
            .replace("@own@", &own)
            .replace("@relation@", &text::literal(&relation(plan.table)))
            .replace("@after@", &text::literal(&undo.name(&format!("_{}_after", plan.table.number))))
            .replace("@same@", &text::literal(&same_key("t", "k", &plan.key)));
        batches.batch(&format!("Nobody refers to a row of {} that goes.", plan.table.shown()), &sql)?;
    }
    batches.batch("Triggers of the target wait.", &TRIGGERS_OFF.replace("@own@", &own))?;
    batches.batch("Foreign keys among these tables are checked once all rows are there.", &cycle::suspend(&[&plans]))?;
    for plan in keyed.iter().rev() {
        batches.batch(&format!("What came into {} goes.", plan.table.shown()), &undo.delete(plan))?;
    }
    for plan in keyed.iter().filter(|p| keeps_rows(p)) {
        batches.batch(&format!("What was in {} comes back.", plan.table.shown()), &undo.restore(plan))?;
    }
    batches.batch("The foreign keys that waited are checked now.", &cycle::resume())?;
    batches.batch("Triggers work again.", TRIGGERS_ON)?;
    let kept: Vec<String> = Undo::suffixes(&plans).iter().map(|s| undo.name(s)).collect();
    batches.end(&format!("DROP TABLE {};\nDROP TABLE #pipe_cycle, #pipe_triggers;\n", kept.join(", ")))
}

/// Writes what a deploy script keeps before rows are merged.
pub fn before(undo: &Undo, plans: &[Plan], batches: &mut Batches) -> io::Result<()> {
    batches.batch("What rollback.sql needs is kept in tables of its own.", &undo.begin())?;
    for plan in plans {
        let title = format!("What will change or come in {}", plan.table.shown());
        batches.batch(&title, &undo.capture(plan))?;
    }
    Ok(())
}

/// Writes what a deploy script keeps after rows are merged.
pub fn after(undo: &Undo, plans: &[Plan], batches: &mut Batches) -> io::Result<()> {
    for plan in plans {
        batches.batch(&format!("How rows of {} were left", plan.table.shown()), &undo.note(plan))?;
    }
    batches.batch("A deployment that changed nothing keeps the way back of the one before.", &undo.finish(plans))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::rows::Evidence;
    use crate::emit::{Column, Header, Mode, Upsert};
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
        write(&script, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_what_a_mode_can_do_is_undone() {
        let inserted = undone(Mode::Insert);
        assert!(inserted.contains("DELETE t\nFROM [s].[t] AS t\nINNER JOIN [s].[pipe_undo_a1_1_after] AS k"), "{inserted}");
        assert!(!inserted.contains("_before"), "{inserted}");
        let changed = undone(Mode::Upsert(Box::new(Upsert::default())));
        assert!(changed.contains("SET t.[a] = k.[a]") && !changed.contains("N''d''"), "{changed}");
        let replaced = undone(Mode::Replace { scope: vec![] });
        assert!(
            replaced.contains("WHERE pipe_action = N''d''")
                && replaced.contains("DROP TABLE [s].[pipe_undo_a1], [s].[pipe_undo_a1_1_before]"),
            "{replaced}"
        );
    }
}
