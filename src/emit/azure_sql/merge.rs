//! The statements that bring staged rows into their table.
//!
//! In: a plan. Out: the DELETE, UPDATE and INSERT statements of its mode (MERGE has known defects), under locks that keep others from
//! adding the same keys in between. Rows that are already as they should be are not touched. Does not know about guards or the order of tables.

use super::{guard, object_id, relation, stage, text};
use crate::contract::Generated;
use crate::emit::merge::Plan;
use crate::emit::{Column, Mode};
use crate::types::DataType;

/// Deletes what a replacement leaves out; empty in other modes.
pub fn delete(plan: &Plan) -> String {
    let Some(clause) = plan.goes() else { return String::new() };
    format!("DELETE t\nFROM {} AS t WITH (UPDLOCK, HOLDLOCK){clause};\n", relation(plan.table))
}

/// Changes the rows that are there and differ, then inserts those that are not there.
pub fn merge(plan: &Plan) -> String {
    // Updates come before insertions, so that a unique value may pass to a new row.
    let mut sql = update(plan).unwrap_or_default();
    let names: Vec<String> = plan.table.columns.iter().map(|c| text::literal(&c.name)).collect();
    let relation = relation(plan.table);
    let numbered = plan.table.columns.iter().any(|c| matches!(c.generated, Generated::Always | Generated::ByDefault));
    // The switch is refused for a table without such a column, so that the table itself must say.
    let switch = |word: &str| match plan.table.overriding_identity || numbered {
        true => format!(
            "IF EXISTS (SELECT 1 FROM sys.identity_columns WHERE object_id = {} AND name IN ({})) SET IDENTITY_INSERT {relation} {word};\n",
            object_id(plan.table),
            names.join(", ")
        ),
        false => String::new(),
    };
    let counted = if plan.key.is_empty() {
        format!("SET @found = ROWCOUNT_BIG();\n{}", guard::expect(plan.table, plan.table.rows, "inserted rows"))
    } else {
        String::new()
    };
    if plan.key.is_empty() {
        sql += "DECLARE @found bigint, @message nvarchar(2048);\n";
    }
    sql + &switch("ON") + &insert(plan) + &counted + &switch("OFF")
}

fn update(plan: &Plan) -> Option<String> {
    let (given, condition) = plan.changes()?;
    let set: Vec<String> = given.iter().map(|(c, value)| format!("t.{} = {value}", text::identifier(c))).collect();
    Some(format!(
        "UPDATE t\nSET {}\nFROM {} AS t WITH (UPDLOCK, HOLDLOCK)\nINNER JOIN {} AS s ON {}\nWHERE {condition};\n",
        set.join(",\n    "),
        relation(plan.table),
        stage(plan.table),
        plan.same_row()
    ))
}

fn insert(plan: &Plan) -> String {
    let columns = || plan.table.columns.iter().map(|c| c.name.as_str());
    let mut insert = format!(
        "INSERT INTO {} ({})\nSELECT {}\nFROM {} AS s",
        relation(plan.table),
        text::names("", columns()),
        text::names("s.", columns()),
        stage(plan.table)
    );
    if plan.table.mode != Mode::Insert && !plan.key.is_empty() {
        insert += &format!(
            "\nWHERE NOT EXISTS (SELECT 1 FROM {} AS t WITH (UPDLOCK, HOLDLOCK) WHERE {})",
            relation(plan.table),
            plan.same_row()
        );
    }
    insert + ";\n"
}

/// The columns of `alias` in a form in which only the same value is equal.
pub fn exact_columns(plan: &Plan, alias: &str) -> Vec<String> {
    plan.table.columns.iter().map(|c| exact(alias, c)).collect()
}

/// The same, and with them the columns that are not loaded but set.
pub fn exact_with_set(plan: &Plan, alias: &str) -> Vec<String> {
    let upsert = plan.table.mode.upsert();
    let set = upsert.map(|u| u.columns.iter().filter(|c| u.sets(&c.name) && plan.table.position(&c.name).is_none()));
    exact_columns(plan, alias).into_iter().chain(set.into_iter().flatten().map(|c| exact(alias, c))).collect()
}

/// A column in a form in which only the same value is equal.
pub fn exact(alias: &str, column: &Column) -> String {
    let name = format!("{alias}.{}", text::identifier(&column.name));
    match &column.data_type {
        // Where there is no contract the column may be a date after all: style 121 shows all of it.
        DataType::Text | DataType::Varchar(_) | DataType::Char(_) | DataType::Json { .. } => {
            format!("CONVERT(nvarchar(max), {name}, 121) COLLATE Latin1_General_BIN2, DATALENGTH({name})")
        }
        DataType::Named(_) | DataType::Unknown => {
            format!("CONVERT(nvarchar(max), {name}) COLLATE Latin1_General_BIN2, DATALENGTH({name})")
        }
        // Zeros at the end do not count in comparisons.
        DataType::Bytes => format!("{name}, DATALENGTH({name})"),
        _ => name,
    }
}
