//! What a deploy script keeps so that it can be undone, and `rollback.sql`, which undoes it.
//!
//! In: plans of merges. Out: statements that keep, in tables beside the target's, each row as it was before it changes or goes, and of
//! each new row its key and a hash; and the script that brings the former back if the latter are as they were left. A register names
//! the tables, so that the script needs to know nothing but the run. Kept as `..._new` until the end: a deployment that changes nothing
//! leaves the way back of the one before it, and one that changes something drops those of the same pipeline that are older than the one before.
//! Does not know how rows are merged.

use super::{Postgres, relation, stage, text, verify};
use crate::emit::load::{Kept, Load, Step};
use crate::emit::merge::Plan;
use crate::emit::{Table, Undo};

/// A row in a form that only the same row has.
const HASH: &str = "hashtextextended(ROW(t.*)::text, 0)";

/// How values are printed, which the hashes depend on.
const PRINTED: &str = "SET LOCAL IntervalStyle = 'postgres';
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C';
";

impl Undo for Postgres {
    /// Makes the register and the tables, and notes where sequences stand.
    fn keep(&self, kept: &Kept, plans: &[Plan]) -> Vec<Step> {
        let mut sql = block(kept, include_str!("may_create.sql"), "_new");
        sql += &format!(
        "{PRINTED}CREATE TABLE {} (number integer NOT NULL, relation text NOT NULL, key text[] NOT NULL, same text, updated bigint,
  problem text, target oid, writer xid8, written bigint,
  columns text[], content text, pipeline text, deployed timestamptz, sequence bigint, called boolean, sequence_left bigint, called_left boolean);\n",
        register(kept)
    );
        for plan in plans {
            let (table, target) = (plan.table, relation(plan.table));
            let keys: Vec<String> = plan.key.iter().map(|k| text::literal(k.name)).collect();
            let same = if plan.key.is_empty() { "NULL".to_string() } else { text::literal(&plan.same_key("t", "k")) };
            sql += &format!(
                "CREATE TABLE {} AS
SELECT 'u'::\"char\" AS pipe_action, t.tableoid AS pipe_table, t.ctid AS pipe_place, t.* FROM {target} AS t WITH NO DATA;
CREATE TABLE {} AS
SELECT 'u'::\"char\" AS pipe_action, {}0::bigint AS pipe_left FROM {target} AS t WITH NO DATA;
INSERT INTO {} (number, relation, key, same)
SELECT {}, format('%I.%I', n.nspname, c.relname),
  ARRAY(SELECT quote_ident(k) FROM unnest(ARRAY[{}]::text[]) WITH ORDINALITY AS l (k, place) ORDER BY place), {same}
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass({});\n",
                before(kept, table),
                after(kept, table),
                key_list(plan),
                register(kept),
                table.number,
                keys.join(", "),
                text::literal(&target)
            );
        }
        sql += &block(kept, include_str!("sequences.sql"), "_new");
        vec![Step::new("Here stays what rollback.sql needs.", sql)]
    }

    /// Keeps the rows that will change or go, and holds them.
    fn capture(&self, kept: &Kept, plans: &[Plan]) -> Vec<Step> {
        let select = |plan: &Plan, action: &str| {
            format!(
                "INSERT INTO {}\nSELECT '{action}', t.tableoid, t.ctid, t.*\nFROM {} AS t",
                before(kept, plan.table),
                relation(plan.table)
            )
        };
        let mut sql = String::new();
        let mut deletes = false;
        for plan in plans {
            let Some(clause) = plan.goes() else { continue };
            // Rows that come in between would go without a trace.
            sql += &format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE;\n", relation(plan.table));
            sql += &format!("{}{clause}\nFOR UPDATE OF t;\n", select(plan, "d"));
            deletes = true;
        }
        if deletes {
            sql += &block(kept, include_str!("cascades.sql"), "_new");
        }
        for plan in plans {
            let Some((_, condition)) = plan.changes() else { continue };
            sql += &format!("{}\nJOIN {} AS s ON {}\nWHERE {condition}", select(plan, "u"), stage(plan.table), plan.same_row());
            if deletes {
                sql += &format!(
                    "\n  AND NOT EXISTS (SELECT FROM {} AS b WHERE b.pipe_place = t.ctid AND b.pipe_table = t.tableoid)",
                    before(kept, plan.table)
                );
            }
            sql += "\nFOR UPDATE OF t;\n";
        }
        vec![Step::new("Rows that change or go are kept.", sql)]
    }

    /// Notes how rows were left, and puts what is kept in the place of what an earlier deployment of this run has kept.
    fn left(&self, kept: &Kept, _plans: &[Plan]) -> Vec<Step> {
        vec![Step::new("How the rows were left, for rollback.sql.", block(kept, include_str!("finish.sql"), "_new"))]
    }

    fn rollback(&self, load: &Load) -> Vec<Step> {
        let undo = |kept| format!("{PRINTED}\n{}", block(kept, include_str!("rollback.sql"), ""));
        vec![Step::Plain(load.kept.as_ref().map_or("\n-- Nothing was loaded.\n".to_string(), undo))]
    }
}

fn name(kept: &Kept, suffix: &str) -> String {
    text::relation(kept.schema.as_deref(), &format!("{}{suffix}", kept.base))
}

fn before(kept: &Kept, table: &Table) -> String {
    name(kept, &format!("_new_{}_before", table.number))
}

/// The table of new rows' keys.
fn after(kept: &Kept, table: &Table) -> String {
    name(kept, &format!("_new_{}_after", table.number))
}

/// The register, while the script runs.
fn register(kept: &Kept) -> String {
    name(kept, "_new")
}

/// Puts names into a block; `suffix` tells the tables of this run from those that are kept.
fn block(kept: &Kept, body: &str, suffix: &str) -> String {
    let prefix = kept.schema.as_deref().map_or(String::new(), |s| format!("{}.", text::identifier(s)));
    // The names stand inside of quotes and of formats.
    let inside = |name: &str| name.replace('\'', "''");
    let body = body
        .trim_end()
        .replace("'@kept_register@'", &text::literal(&name(kept, "")))
        .replace("@kept_register@", &name(kept, ""))
        .replace("'@register@'", &text::literal(&name(kept, suffix)))
        .replace("@register_in_format@", &inside(&name(kept, suffix)).replace('%', "%%"))
        .replace("@register@", &name(kept, suffix))
        .replace("@schema@", &kept.schema.as_deref().map_or("current_schema()".to_string(), text::literal))
        .replace("@prefix@", &inside(&prefix).replace('%', "%%"))
        .replace("@base@", &format!("{}{suffix}", kept.base))
        .replace("@pattern@", &kept.base.replace('_', "\\_"))
        .replace("@kept@", &kept.base)
        .replace("@run@", &kept.run)
        .replace("@pipeline@", &text::literal(&kept.pipeline));
    text::block(&body)
}

/// Notes who wrote the rows that went straight into empty tables, how many they are, and how to tell that they are the same in other
/// places: restored from a dump, or changed and changed back.
pub fn written(kept: &Kept, plans: &[Plan]) -> String {
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
            register(kept),
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
pub fn keep(kept: &Kept, plan: &Plan, inserted: &str) -> String {
    format!("INSERT INTO {} SELECT 'i', k.* FROM {inserted} AS k", after(kept, plan.table))
}

/// Notes how many rows the step `updated` changed, to be compared with those that were kept.
pub fn count(kept: &Kept, plan: &Plan, updated: &str) -> String {
    format!(
        "UPDATE {} SET updated = (SELECT count(*) FROM {updated}) WHERE number = {} RETURNING 1",
        register(kept),
        plan.table.number
    )
}

/// The columns of the key of `t`, with a comma behind each.
fn key_list(plan: &Plan) -> String {
    plan.key_names("t.").iter().map(|name| format!("{name}, ")).collect()
}
