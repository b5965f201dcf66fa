//! What a deploy script keeps so that it can be undone, and `rollback.sql`, which undoes it.
//!
//! In: plans of merges. Out: statements that keep, in tables beside the target's, each row as it was before it changes or goes, and of
//! each new row its key and a hash; and the script that brings the former back if the latter are as they were left. A register names
//! the tables, so that the script needs to know nothing but the run. Kept as `..._new` until the end: a deployment that changes nothing
//! leaves the way back of the one before it.
//! Does not know how rows are merged.

use std::io::{self, Write};

use super::merge::Plan;
use super::{deploy, relation, stage, text, verify};
use crate::emit::{Script, Table};

/// A row in a form that only the same row has.
const HASH: &str = "hashtextextended(ROW(t.*)::text, 0)";

/// How values are printed, which the hashes depend on.
const PRINTED: &str = "SET LOCAL IntervalStyle = 'postgres';
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C';
";

/// The names of what one run keeps.
pub struct Undo {
    schema: Option<String>,
    /// `pipe_undo_<run>`: quoted it is the register.
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

    fn before(&self, table: &Table) -> String {
        self.name(&format!("_new_{}_before", table.number))
    }

    /// The table of new rows' keys.
    pub fn after(&self, table: &Table) -> String {
        self.name(&format!("_new_{}_after", table.number))
    }

    /// The register, while the script runs.
    pub fn register(&self) -> String {
        self.name("_new")
    }

    /// Puts names into a block; `suffix` tells the tables of this run from those that are kept.
    fn block(&self, body: &str, suffix: &str) -> String {
        let prefix = self.schema.as_deref().map_or(String::new(), |s| format!("{}.", text::identifier(s)));
        // The names stand inside of quotes and of formats.
        let inside = |name: &str| name.replace('\'', "''");
        let body = body
            .trim_end()
            .replace("'@register@'", &text::literal(&self.name(suffix)))
            .replace("@register_in_format@", &inside(&self.name(suffix)).replace('%', "%%"))
            .replace("@register@", &self.name(suffix))
            .replace("@schema@", &self.schema.as_deref().map_or("current_schema()".to_string(), text::literal))
            .replace("@prefix@", &inside(&prefix).replace('%', "%%"))
            .replace("@base@", &format!("{}{suffix}", self.kept))
            .replace("@pattern@", &self.kept.replace('_', "\\_"))
            .replace("@kept@", &self.kept)
            .replace("@run@", &self.run);
        text::block(&body)
    }

    /// Makes the register and the tables, and notes where sequences stand.
    pub fn begin(&self, plans: &[Plan]) -> String {
        let mut sql = self.block(include_str!("may_create.sql"), "_new");
        sql += &format!(
            "{PRINTED}CREATE TABLE {} (number integer NOT NULL, relation text NOT NULL, key text[] NOT NULL, same text, updated bigint,
  problem text, target oid, writer xid8, written bigint,
  columns text[], content text, sequence bigint, called boolean, sequence_left bigint, called_left boolean);\n",
            self.register()
        );
        for plan in plans {
            let (table, target) = (plan.table, relation(plan.table));
            let keys: Vec<String> = plan.key_columns().map(text::literal).collect();
            let same =
                if plan.key.is_empty() { "NULL".to_string() } else { text::literal(&super::same_key("t", "k", &plan.key)) };
            sql += &format!(
                "CREATE TABLE {} AS
SELECT 'u'::\"char\" AS pipe_action, t.tableoid AS pipe_table, t.ctid AS pipe_place, t.* FROM {target} AS t WITH NO DATA;
CREATE TABLE {} AS
SELECT 'u'::\"char\" AS pipe_action, {}0::bigint AS pipe_left FROM {target} AS t WITH NO DATA;
INSERT INTO {} (number, relation, key, same)
SELECT {}, format('%I.%I', n.nspname, c.relname),
  ARRAY(SELECT quote_ident(k) FROM unnest(ARRAY[{}]::text[]) WITH ORDINALITY AS l (k, place) ORDER BY place), {same}
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass({});\n",
                self.before(table),
                self.after(table),
                key_list(plan),
                self.register(),
                table.number,
                keys.join(", "),
                text::literal(&target)
            );
        }
        sql + &self.block(include_str!("sequences.sql"), "_new")
    }

    /// Keeps the rows that will change or go, and holds them.
    pub fn capture(&self, plans: &[Plan]) -> String {
        let select = |plan: &Plan, action: &str| {
            format!(
                "INSERT INTO {}\nSELECT '{action}', t.tableoid, t.ctid, t.*\nFROM {} AS t",
                self.before(plan.table),
                relation(plan.table)
            )
        };
        let mut sql = String::new();
        let mut deletes = false;
        for plan in plans {
            let Some(condition) = plan.goes() else { continue };
            // Rows that come in between would go without a trace.
            sql += &format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE;\n", relation(plan.table));
            let condition = if condition.is_empty() { String::new() } else { format!("\nWHERE {condition}") };
            sql += &format!("{}{condition}\nFOR UPDATE OF t;\n", select(plan, "d"));
            deletes = true;
        }
        if deletes {
            sql += &self.block(include_str!("cascades.sql"), "_new");
        }
        for plan in plans {
            let Some(condition) = plan.changes() else { continue };
            sql += &format!("{}\nJOIN {} AS s ON {}\nWHERE {condition}", select(plan, "u"), stage(plan.table), plan.same_row());
            if deletes {
                sql += &format!(
                    "\n  AND NOT EXISTS (SELECT FROM {} AS b WHERE b.pipe_place = t.ctid AND b.pipe_table = t.tableoid)",
                    self.before(plan.table)
                );
            }
            sql += "\nFOR UPDATE OF t;\n";
        }
        sql
    }

    /// Notes who wrote the rows that went straight into empty tables, how many they are, and how to tell that they are the same in other
    /// places: restored from a dump, or changed and changed back.
    pub fn written(&self, plans: &[Plan]) -> String {
        let one = |plan: &Plan| {
            let (table, evidence) = (plan.table, plan.evidence);
            let columns: Vec<String> = table.columns.iter().map(|c| text::literal(&c.name)).collect();
            let content = match evidence.compared.iter().all(Option::is_some) {
                true => text::literal(&format!(
                    "{}\n  AND {} = {}",
                    verify::types_fit(table, evidence),
                    verify::checksum(evidence),
                    evidence.checksum
                )),
                false => "NULL".to_string(),
            };
            format!(
                "UPDATE {} SET target = to_regclass(relation), writer = pg_current_xact_id(), written = {},\n  columns = ARRAY[{}], content = {content}\nWHERE number = {};\n",
                self.register(),
                table.rows,
                columns.join(", "),
                table.number
            )
        };
        plans.iter().map(one).collect()
    }

    /// Says what an insertion gives back to be kept.
    pub fn returning(plan: &Plan) -> String {
        format!("RETURNING {}{HASH} AS pipe_left", key_list(plan))
    }

    /// Keeps what the step `inserted` gave back.
    pub fn keep(&self, plan: &Plan, inserted: &str) -> String {
        format!("INSERT INTO {} SELECT 'i', k.* FROM {inserted} AS k", self.after(plan.table))
    }

    /// Notes how many rows the step `updated` changed, to be compared with those that were kept.
    pub fn count(&self, plan: &Plan, updated: &str) -> String {
        format!(
            "UPDATE {} SET updated = (SELECT count(*) FROM {updated}) WHERE number = {} RETURNING 1",
            self.register(),
            plan.table.number
        )
    }

    /// Notes how rows were left, and puts what is kept in the place of what an earlier deployment of this run has kept.
    pub fn finish(&self) -> String {
        self.block(include_str!("finish.sql"), "_new")
    }
}

/// The columns of the key of `t`, with a comma behind each.
fn key_list(plan: &Plan) -> String {
    plan.key.iter().map(|(name, _, _)| format!("t.{name}, ")).collect()
}

/// Writes `rollback.sql`.
pub fn write(script: &Script, out: &mut dyn Write) -> io::Result<()> {
    let tables: Vec<&Table> = script.tables.iter().map(|(table, _)| table).collect();
    out.write_all(deploy::header(script.header, &tables).as_bytes())?;
    out.write_all(b"--\n-- Brings back what was there before deploy.sql of this run, unless it has changed since.\n")?;
    out.write_all(deploy::run_with("rollback.sql", script.format).as_bytes())?;
    write!(out, "BEGIN;\n\n{}", deploy::SETTINGS)?;
    match Undo::of(script) {
        Some(undo) => write!(out, "{PRINTED}\n{}", undo.block(include_str!("rollback.sql"), ""))?,
        None => out.write_all(b"\n-- Nothing was loaded.\n")?,
    }
    out.write_all(b"\nCOMMIT;\n")
}
