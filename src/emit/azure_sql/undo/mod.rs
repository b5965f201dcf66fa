//! What a deploy script keeps so that it can be undone, and `rollback.sql`, which undoes it.
//!
//! In: plans of merges. Out: batches that keep, in tables beside the target's, each row as it was before it changes or goes, and of each new
//! or changed row its key and a hash; and the script that brings the former back if the latter are as they were left. A deployment that
//! changes nothing leaves the way back of the one before it. What cannot be told apart afterwards (rows without a key, what a cascade
//! takes along) is noted, and the rollback refuses. Like all of T-SQL here, parsed by the vendor's parser and never run on a server.
//! Does not know how rows are merged.

pub mod rollback;

use super::guard::thrown;
use super::{AzureSql, object_id, relation, stage, text};
use crate::emit::Undo;
use crate::emit::load::{Kept, Load, Step};
use crate::emit::merge::Plan;

/// A row in a form that only the same row has.
const HASH: &str = "HASHBYTES('SHA2_256', CONVERT(nvarchar(max), (SELECT t.* FOR XML RAW, BINARY BASE64)))";

impl Undo for AzureSql {
    fn keep(&self, kept: &Kept, _plans: &[Plan]) -> Vec<Step> {
        let schema = kept.schema.as_deref().unwrap_or("dbo");
        let sql = format!(
            "IF HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'CREATE TABLE') = 0 OR HAS_PERMS_BY_NAME({}, 'SCHEMA', 'ALTER') = 0
  THROW 50004, {}, 1;
CREATE TABLE {} (number int NOT NULL, problem nvarchar(400) NOT NULL);\n",
            text::literal(&text::identifier(schema)),
            thrown(&format!(
                "the user may not create tables in schema {schema}, where rollback.sql would find the rows as they were: have it granted, or emit the script with --no-rollback"
            )),
            name(kept, "_new")
        );
        vec![Step::new("What rollback.sql needs is kept in tables of its own.", sql)]
    }

    fn capture(&self, kept: &Kept, plans: &[Plan]) -> Vec<Step> {
        let step = |p: &Plan| Step::new(&format!("What will change or come in {}", p.table.shown()), capture(kept, p));
        plans.iter().map(step).collect()
    }

    fn left(&self, kept: &Kept, plans: &[Plan]) -> Vec<Step> {
        let note = |p: &Plan| Step::new(&format!("How rows of {} were left", p.table.shown()), note(kept, p));
        let suffixes = suffixes(plans);
        let new: Vec<String> = suffixes.iter().map(|s| name(kept, &format!("_new{s}"))).collect();
        let some: Vec<String> = new.iter().map(|name| format!("EXISTS (SELECT 1 FROM {name})")).collect();
        let old: Vec<String> = suffixes.iter().map(|s| name(kept, s)).collect();
        let renamed: Vec<String> = suffixes
            .iter()
            .zip(&new)
            .map(|(suffix, name)| {
                format!(
                    "  EXEC sp_rename @objname = {}, @newname = {}, @objtype = N'OBJECT';\n",
                    text::literal(name),
                    text::literal(&format!("{}{suffix}", kept.base))
                )
            })
            .collect();
        // What changed nothing leaves the way back as it was.
        let finish = format!(
            "IF {}\nBEGIN\n  DROP TABLE IF EXISTS {};\n{}END\nELSE\n  DROP TABLE {};\n",
            some.join("\n  OR "),
            old.join(", "),
            renamed.concat(),
            new.join(", ")
        );
        let finish = Step::new("A deployment that changed nothing keeps the way back of the one before.", finish);
        plans.iter().map(note).chain([finish]).collect()
    }

    fn rollback(&self, load: &Load) -> Vec<Step> {
        load.kept.as_ref().map_or(vec![], |kept| rollback::steps(kept, &load.plans))
    }
}

fn name(kept: &Kept, suffix: &str) -> String {
    text::relation(kept.schema.as_deref(), &format!("{}{suffix}", kept.base))
}

fn exists(kept: &Kept, suffix: &str) -> String {
    format!("OBJECT_ID({})", text::literal(&name(kept, suffix)))
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

/// Keeps the rows that will change or go, and the keys of those that will come.
pub fn capture(kept: &Kept, plan: &Plan) -> String {
    let (table, target, number) = (plan.table, relation(plan.table), plan.table.number);
    let mut parts = vec![];
    if let Some(clause) = plan.goes() {
        parts.push(format!(
            "SELECT CONVERT(nchar(1), N'd') AS pipe_action, t.*\nFROM {target} AS t WITH (UPDLOCK, HOLDLOCK){clause}"
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
            name(kept, &format!("_new_{number}_before")),
            parts.join("\nUNION ALL\n")
        );
    }
    if plan.goes().is_some() {
        sql += &format!(
            "IF EXISTS (SELECT 1 FROM {} WHERE pipe_action = N'd') AND EXISTS (SELECT 1 FROM sys.foreign_keys WHERE referenced_object_id = {} AND delete_referential_action <> 0 AND is_disabled = 0)
  INSERT INTO {} (number, problem) VALUES ({number}, {});\n",
            name(kept, &format!("_new_{number}_before")),
            object_id(table),
            name(kept, "_new"),
            text::literal(&format!("rows of table {} were deleted, and a foreign key may have taken others along", table.shown()))
        );
    }
    if plan.key.is_empty() {
        if table.rows > 0 || keeps_rows(plan) {
            sql += &format!(
                "INSERT INTO {} (number, problem) VALUES ({number}, {});\n",
                name(kept, "_new"),
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
pub fn note(kept: &Kept, plan: &Plan) -> String {
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
            name(kept, &format!("_new_{number}_before"))
        );
    }
    format!(
        "SELECT k.pipe_action, {}, {HASH} AS pipe_left\nINTO {}\nFROM (\n{keys}\n) AS k\nINNER JOIN {} AS t ON {};\nDROP TABLE #pipe_come_{number};\n",
        key_list(plan, "k"),
        name(kept, &format!("_new_{number}_after")),
        relation(plan.table),
        plan.same_key("t", "k")
    )
}

/// Drops what is kept, once it is brought back.
pub fn drop(kept: &Kept, plans: &[Plan]) -> String {
    let kept: Vec<String> = suffixes(plans).iter().map(|s| name(kept, s)).collect();
    format!("DROP TABLE {};\nDROP TABLE #pipe_cycle, #pipe_triggers;\n", kept.join(", "))
}

/// Whether rows of the target may change or go.
fn keeps_rows(plan: &Plan) -> bool {
    plan.goes().is_some() || plan.changes().is_some()
}

/// The columns of the key of `alias`.
fn key_list(plan: &Plan, alias: &str) -> String {
    plan.key_names(&format!("{alias}.")).join(", ")
}
