//! Moves the sequences behind `serial` and identity columns past the loaded numbers.
//!
//! In: tables. Out: a DO block that finds each column's sequence in the catalog and moves it forward, never back.
//! Does not know which columns have one: the target does.

use super::{relation, text};
use crate::emit::Column;
use crate::emit::merge::Plan;
use crate::types::DataType;

/// Writes the block; empty if no column can have a sequence.
///
/// It comes last: what moves a sequence is not undone by a rollback.
pub fn advance(plans: &[Plan]) -> String {
    let numbered = |column: &&Column| {
        column.data_type.is_integer() || matches!(column.data_type, DataType::Unknown | DataType::Decimal(Some((_, 0))))
    };
    let wanted: Vec<String> = plans
        .iter()
        .map(|plan| plan.table)
        .flat_map(|table| table.columns.iter().filter(numbered).map(move |column| (table, column)))
        .map(|(table, column)| {
            format!("      ({}, {}, {})", table.number, text::literal(&relation(table)), text::literal(&column.name))
        })
        .collect();
    if wanted.is_empty() {
        return String::new();
    }
    let body = format!(
        "DECLARE
  item record;
  top numeric;
  behind boolean;
BEGIN
  FOR item IN
    WITH wanted (number, relation, name) AS (
      VALUES
{}
    ), behind AS (
      SELECT w.number, w.name, d.objid AS sequence
      FROM wanted AS w
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = to_regclass(w.relation) AND a.attname = w.name
      JOIN pg_catalog.pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
      WHERE d.classid = 'pg_class'::regclass
      UNION
      SELECT w.number, w.name, d.refobjid
      FROM wanted AS w
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = to_regclass(w.relation) AND a.attname = w.name
      JOIN pg_catalog.pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
      JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
    )
    SELECT b.number, b.name, q.seqrelid::regclass AS sequence, q.seqmax
    FROM behind AS b JOIN pg_catalog.pg_sequence AS q ON q.seqrelid = b.sequence
    WHERE q.seqincrement > 0
    ORDER BY b.number, b.name, q.seqrelid
  LOOP
    EXECUTE format('SELECT max(%I) FROM pg_temp.pipe_stage_%s', item.name, item.number) INTO top;
    EXECUTE format('SELECT last_value < $1 OR (last_value = $1 AND NOT is_called) FROM %s', item.sequence) INTO behind USING top;
    IF behind AND top <= item.seqmax THEN
      PERFORM setval(item.sequence, top::bigint);
    END IF;
  END LOOP;
END",
        wanted.join(",\n")
    );
    text::block(&body)
}
