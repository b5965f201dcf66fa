//! `ALTER TABLE` and `CREATE INDEX`: what is added to tables after they were made.
//!
//! In: the tokens after the table's name. Out: changes of its contract, in the order they are written.
//! Does not know how constraints are named or judged.

use super::ddl::Flavor;
use super::ddl_cursor::{Cursor, Qualified, Read};
use super::ddl_settle::{Context, IndexDraft, canonical, quoted, settle};
use super::ddl_table::{Draft, default, generated};
use super::{Contract, Generated, ddl_type, known_column};
use crate::diagnostics::Diagnostics;

/// Applies the actions of ALTER TABLE; one that cannot be read is reported and left out.
pub(super) fn alter(contract: &mut Contract, actions: Cursor<'_>, context: &mut Context<'_>, out: &mut Diagnostics) {
    // T-SQL says ADD once for several elements.
    let mut adding = false;
    for mut action in actions.commas() {
        // `WITH CHECK ADD CONSTRAINT ...`
        let _ = action.accept(&["WITH", "CHECK"]) || action.accept(&["WITH", "NOCHECK"]);
        if action.accept(&["ADD"]) {
            adding = true;
        } else if starts_action(&action) {
            adding = false;
        }
        let done = if adding { add(contract, action, context, out) } else { change(contract, action, context, out) };
        if let Err(trouble) = done {
            super::ddl::unreadable("a part of this statement", &trouble, out);
        }
    }
}

fn starts_action(action: &Cursor<'_>) -> bool {
    let words =
        ["ALTER", "DROP", "RENAME", "SET", "OWNER", "ENABLE", "DISABLE", "CHECK", "NOCHECK", "VALIDATE", "ATTACH", "CLUSTER"];
    words.iter().any(|word| action.at(&[word]))
}

fn add<'a>(contract: &mut Contract, mut action: Cursor<'a>, context: &mut Context<'_>, out: &mut Diagnostics) -> Read<()> {
    let mut draft: Draft<'a> = Draft::default();
    let start = action;
    let named = action.accept(&["CONSTRAINT"]).then(|| action.identifier()).transpose()?;
    if let Some(name) = &named
        && context.if_missing
        && contract.written.constraints.iter().any(|c| c.name.as_ref() == Some(&name.value))
    {
        return Ok(());
    }
    if action.accept(&["DEFAULT"]) {
        // T-SQL: `ADD CONSTRAINT name DEFAULT value FOR column`.
        let value = default(&mut action)?;
        let written = start.until(&action).source().to_string();
        if !action.accept(&["FOR"]) {
            return Err(action.trouble("`FOR` and a column"));
        }
        let column = action.identifier()?;
        let name = canonical(contract, column.value, context.flavor);
        if known_column(contract, &name, column.span, out) {
            contract.columns.iter_mut().filter(|c| c.name == name).for_each(|c| c.default = Some(value.clone()));
            if let Some(definition) = contract.written.columns.get_mut(&name) {
                *definition = format!("{definition} {written}");
            }
        }
        return Ok(());
    }
    action = start;
    action.accept(&["COLUMN"]);
    if action.accept(&["IF", "NOT", "EXISTS"]) || context.if_missing && named.is_none() {
        let mut ahead = action;
        let known = ahead.identifier().ok().map(|column| canonical(contract, column.value, context.flavor));
        if known.is_some_and(|column| contract.column(&column).is_some()) {
            return Ok(());
        }
    }
    draft.element(action, context.types)?;
    settle(contract, draft, context, out);
    Ok(())
}

fn change(contract: &mut Contract, mut action: Cursor<'_>, context: &mut Context<'_>, out: &mut Diagnostics) -> Read<()> {
    if action.accept(&["ALTER", "COLUMN"]) || action.accept(&["ALTER"]) {
        return alter_column(contract, action, context, out);
    }
    if action.accept(&["DROP", "CONSTRAINT"]) {
        action.accept(&["IF", "EXISTS"]);
        let name = action.identifier()?.value;
        contract.checks.retain(|c| c.name.as_ref() != Some(&name));
        contract.foreign_keys.retain(|k| k.name.as_ref() != Some(&name));
        contract.written.constraints.retain(|c| c.name.as_ref() != Some(&name));
        contract.unjudged.retain(|(text, _)| !text.starts_with(&format!("CONSTRAINT {name} ")));
        return Ok(());
    }
    if action.accept(&["DROP"]) {
        action.accept(&["COLUMN"]);
        action.accept(&["IF", "EXISTS"]);
        let name = action.identifier()?.value;
        contract.columns.retain(|c| c.name != name);
        contract.written.columns.remove(&name);
        let quoted = quoted(std::slice::from_ref(&name), context.flavor);
        contract.written.constraints.retain(|c| !c.text.contains(&quoted));
        contract.checks.retain(|c| !c.check.columns().contains(&name));
        contract.foreign_keys.retain(|k| !k.columns.contains(&name));
        contract.indexes.retain(|i| !i.columns.contains(&name));
        return Ok(());
    }
    if action.at(&["RENAME"]) {
        return Err(action.trouble("the final name in CREATE TABLE, since renaming is not followed"));
    }
    // Owners, row-level security, triggers, storage: nothing that rows could break.
    Ok(())
}

fn alter_column(contract: &mut Contract, mut action: Cursor<'_>, context: &mut Context<'_>, out: &mut Diagnostics) -> Read<()> {
    let written = action.identifier()?;
    let name = canonical(contract, written.value, context.flavor);
    if !known_column(contract, &name, written.span, out) {
        return Ok(());
    }
    // What is changed here is written anew from what is known.
    let before = contract.written.columns.remove(&name);
    let Some(column) = contract.columns.iter_mut().find(|c| c.name == name) else {
        return Ok(());
    };
    if action.accept(&["SET", "NOT", "NULL"]) {
        column.not_null = true;
    } else if action.accept(&["DROP", "NOT", "NULL"]) {
        column.not_null = false;
    } else if action.accept(&["SET", "DEFAULT"]) {
        let value = default(&mut action)?;
        if value.starts_with("nextval(") && column.generated == Generated::No {
            column.generated = Generated::ByDefault;
        }
        column.default = Some(value);
    } else if action.accept(&["DROP", "DEFAULT"]) {
        column.default = None;
    } else if action.accept(&["ADD", "GENERATED"]) {
        generated(&mut action, column)?;
    } else if action.accept(&["SET", "DATA", "TYPE"]) || action.accept(&["TYPE"]) || context.flavor == Flavor::Tsql {
        let start = action;
        let found = ddl_type::read(&mut action, context.types)?;
        (column.data_type, column.type_name) = (found.data_type, found.type_name);
        if context.flavor == Flavor::Tsql {
            column.collation = if action.accept(&["COLLATE"]) { Some(action.qualified()?.name.value) } else { None };
            let definition = start.until(&action).source().to_string();
            column.not_null = action.accept(&["NOT", "NULL"]);
            // A column stays numbered, and keeps its default.
            let kept = before.as_deref().map(kept_clauses).unwrap_or_default();
            contract.written.columns.insert(name, format!("{definition}{kept}"));
        }
    }
    // Statistics, storage and compression change nothing that rows could break.
    Ok(())
}

/// Finds what stays of a T-SQL column's definition when its type is changed.
fn kept_clauses(definition: &str) -> String {
    let upper = definition.to_ascii_uppercase();
    let starts = [" IDENTITY", " CONSTRAINT ", " DEFAULT"].iter().filter_map(|word| upper.find(word)).min();
    starts.and_then(|at| definition.get(at..)).unwrap_or_default().to_string()
}

/// Reads `CREATE [UNIQUE] INDEX`, after that word; gives the table and the index.
pub(super) fn create_index<'a>(mut cursor: Cursor<'a>, unique: bool, whole: Cursor<'a>) -> Read<(Qualified, IndexDraft<'a>)> {
    let mut words = whole.until(&cursor);
    words.accept(&["CREATE"]);
    let words = words.take_until(|c| c.at(&["INDEX"])).source().to_string();
    cursor.accept(&["CONCURRENTLY"]);
    cursor.accept(&["IF", "NOT", "EXISTS"]);
    let name = if cursor.at(&["ON"]) { None } else { Some(cursor.identifier()?.value) };
    let tail = cursor;
    if !cursor.accept(&["ON"]) {
        return Err(cursor.trouble("`ON` and a table"));
    }
    cursor.accept(&["ONLY"]);
    let table = cursor.qualified()?;
    if cursor.accept(&["USING"]) {
        cursor.skip();
    }
    let tail = if whole.flavor() == Flavor::Tsql { cursor.source() } else { tail.source() }.to_string();
    let list = cursor.group()?;
    let mut index =
        IndexDraft { name, words, tail, ..IndexDraft::new(list.commas().into_iter().map(part).collect(), unique, whole) };
    indexed(&mut index, &mut cursor);
    Ok((table, index))
}

/// Reads what follows the columns of an index.
pub(super) fn indexed<'a>(index: &mut IndexDraft<'a>, cursor: &mut Cursor<'a>) {
    let tsql = cursor.flavor() == Flavor::Tsql;
    while !cursor.is_empty() {
        if cursor.accept(&["WHERE"]) {
            index.only_where = Some(cursor.take_until(|c| tsql && (c.at(&["WITH"]) || c.at(&["ON"]))));
        } else if cursor.accept(&["NULLS", "NOT", "DISTINCT"]) {
            index.nulls_equal = true;
        } else {
            cursor.skip_one();
        }
    }
}

/// Takes the expression out of an index's part, without its collation, operator class and order.
pub(super) fn part(part: Cursor<'_>) -> Cursor<'_> {
    let mut rest = part;
    if !rest.at_group() {
        let _ = rest.qualified();
    }
    rest.skip_group();
    part.until(&rest)
}
