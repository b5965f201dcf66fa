//! The columns and constraints of `CREATE TABLE` and `ALTER TABLE ... ADD`, as written.
//!
//! In: the tokens of one element. Out: a [`Draft`] of the table, whose constraints have no names and no meaning yet; `ddl_settle`
//! gives them both once all columns are known. An element that cannot be read loses nothing but itself.
//! Does not know about other tables.

use super::ddl::Flavor;
use super::ddl_alter::{indexed, part};
use super::ddl_cursor::{Cursor, Read};
use super::ddl_settle::IndexDraft;
use super::ddl_type::{self, ColumnType, Types};
use super::{Column, ForeignKey, Generated};
use crate::diagnostics::{Diagnostics, Span, Spanned};
use crate::types::DataType;

/// What a statement adds to a table.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    pub(super) columns: Vec<Column>,
    pub(super) checks: Vec<Pending<'a>>,
    pub(super) keys: Vec<Key>,
    /// With its place, and what stands from REFERENCES on.
    pub(super) foreign_keys: Vec<(ForeignKey, Span, String)>,
    /// What stands after a column's name, without its constraints.
    pub(super) definitions: Vec<(String, String)>,
    /// Constraints of other kinds, by name.
    pub(super) others: Vec<(Option<String>, String)>,
    /// The columns of foreign keys that are NULL all or none: `MATCH FULL`.
    pub(super) matched_whole: Vec<(Vec<String>, Span)>,
    pub(super) indexes: Vec<IndexDraft<'a>>,
    /// What stands in CREATE TABLE and is neither a column nor a constraint.
    pub(super) elements: Vec<String>,
    /// Columns of type T-SQL `tinyint`, which holds no more than a byte.
    pub(super) one_byte: Vec<Spanned<String>>,
    /// Columns of times that keep so many digits of a second's fraction.
    pub(super) fractions: Vec<(Spanned<String>, u8)>,
    pub(super) unjudged: Vec<(String, Span)>,
}

/// A CHECK constraint.
#[derive(Debug)]
pub(super) struct Pending<'a> {
    pub(super) name: Option<String>,
    pub(super) holds: Cursor<'a>,
    pub(super) enforced: bool,
    /// What follows the condition.
    pub(super) tail: String,
}

/// A primary or unique key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: Option<String>,
    pub(super) primary: bool,
    pub(super) columns: Vec<Spanned<String>>,
    pub(super) nulls_equal: bool,
    pub(super) span: Span,
    /// What stands before the columns: T-SQL's CLUSTERED.
    pub(super) head: String,
    /// The columns as written, with their order; empty where they are not listed.
    pub(super) listed: String,
    /// What follows the columns.
    pub(super) tail: String,
}

/// The words that start a table's constraint.
const CONSTRAINTS: &[&str] = &["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE"];

/// The words that end a column's default.
const AFTER_DEFAULT: &[&str] = &[
    "NOT",
    "NULL",
    "CONSTRAINT",
    "PRIMARY",
    "UNIQUE",
    "CHECK",
    "REFERENCES",
    "GENERATED",
    "COLLATE",
    "DEFERRABLE",
    "INITIALLY",
    "IDENTITY",
    "ROWGUIDCOL",
    "SPARSE",
    "FOR",
];

/// Reads the elements between the parentheses of CREATE TABLE.
pub(super) fn elements<'a>(body: Cursor<'a>, types: &Types, out: &mut Diagnostics) -> Draft<'a> {
    let mut draft = Draft::default();
    for element in body.commas() {
        if let Err(trouble) = draft.element(element, types) {
            super::ddl::unreadable("a part of this table", &trouble, out);
        }
    }
    draft
}

impl<'a> Draft<'a> {
    /// Reads a column or a constraint.
    pub(super) fn element(&mut self, mut cursor: Cursor<'a>, types: &Types) -> Read<()> {
        let tsql = cursor.flavor() == Flavor::Tsql;
        if CONSTRAINTS.iter().any(|word| cursor.at(&[word])) {
            return self.constraint(cursor);
        }
        if tsql && cursor.at(&["PERIOD", "FOR", "SYSTEM_TIME"]) {
            self.elements.push(cursor.source().to_string());
            return Ok(());
        }
        if tsql && cursor.at(&["INDEX"]) {
            self.indexes.push(index(&mut cursor, None)?);
            return Ok(());
        }
        if !tsql && cursor.accept(&["LIKE"]) {
            return Err(cursor.trouble("the columns themselves, since those of another table are not copied here"));
        }
        self.column(cursor, types)
    }

    fn column(&mut self, mut cursor: Cursor<'a>, types: &Types) -> Read<()> {
        let start = cursor;
        let name = cursor.identifier()?;
        let named = start.until(&cursor);
        let mut column = Column::new(&name);
        let mut definition = String::new();
        let mut note = |from: Cursor<'a>, to: &Cursor<'a>| {
            definition.push_str(if definition.is_empty() { "" } else { " " });
            definition.push_str(from.until(to).source());
        };
        let (from, computes) = (cursor, cursor.at(&["AS"]));
        if cursor.accept(&["AS"]) {
            // A computed column has the type of its expression.
            cursor.skip_group();
            column.generated = Generated::Computed;
        } else {
            let ColumnType { data_type, type_name, serial, computed, one_byte, fraction } = ddl_type::read(&mut cursor, types)?;
            (column.data_type, column.type_name) = (data_type, type_name);
            column.not_null = serial;
            column.generated = match (serial, computed) {
                (_, true) => Generated::Computed,
                (true, false) => Generated::ByDefault,
                (false, false) => Generated::No,
            };
            if let Some(digits) = fraction.filter(|_| !matches!(column.data_type, DataType::List(_))) {
                self.fractions.push((name.clone(), digits));
            }
            if one_byte {
                self.one_byte.push(name);
            }
        }
        note(from, &cursor);
        let (mut constraint_name, mut named_from) = (None, None);
        let tsql = cursor.flavor() == Flavor::Tsql;
        while !cursor.is_empty() {
            let start = cursor;
            if cursor.accept(&["CONSTRAINT"]) {
                constraint_name = Some(cursor.identifier()?.value);
                named_from = Some(start);
                continue;
            }
            if tsql && cursor.at(&["INDEX"]) {
                self.indexes.push(index(&mut cursor, Some(named))?);
                continue;
            }
            let before = cursor.span();
            let constrains = ["PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "FOREIGN"].iter().any(|word| cursor.at(&[word]));
            // What T-SQL says of NULL is in the column; its defaults keep their names.
            let constrains = constrains || tsql && !computes && (cursor.at(&["NULL"]) || cursor.at(&["NOT", "NULL"]));
            let from = named_from.take().filter(|_| tsql).unwrap_or(start);
            let known = self.column_option(&mut cursor, &mut column, constraint_name.take())?;
            if !known || cursor.span() == before {
                return Err(cursor.trouble("a constraint, a default or the end of the column"));
            }
            if !constrains {
                note(from, &cursor);
            }
        }
        self.definitions.push((column.name.clone(), definition));
        self.columns.push(column);
        Ok(())
    }

    /// Reads one of the clauses after a column's type; `false` where none starts here.
    fn column_option(&mut self, cursor: &mut Cursor<'a>, column: &mut Column, name: Option<String>) -> Read<bool> {
        let own = || Spanned::new(column.name.clone(), column.span);
        let span = cursor.trouble("").span;
        if cursor.accept(&["NOT", "NULL"]) {
            column.not_null = true;
        } else if cursor.accept(&["NULL"]) || cursor.accept(&["NOT", "FOR", "REPLICATION"]) {
        } else if cursor.at(&["PRIMARY", "KEY"]) || cursor.at(&["UNIQUE"]) {
            let primary = cursor.at(&["PRIMARY"]);
            cursor.skip();
            cursor.accept(&["KEY"]);
            let columns = vec![own()];
            let from = *cursor;
            let nulls_equal = key_options(cursor);
            let tail = from.until(cursor).source().replace("NULLS NOT DISTINCT", "");
            let (head, tail) = clustering(&tail, cursor.flavor());
            self.keys.push(Key { name, primary, columns, nulls_equal, span, head, listed: String::new(), tail });
        } else if cursor.accept(&["CHECK"]) {
            self.check(cursor, name)?;
        } else if cursor.at(&["REFERENCES"]) || cursor.at(&["FOREIGN", "KEY", "REFERENCES"]) {
            cursor.accept(&["FOREIGN", "KEY"]);
            let columns = vec![column.name.clone()];
            self.references(cursor, name, columns, span)?;
        } else if cursor.accept(&["DEFAULT"]) {
            column.default = Some(default(cursor)?);
        } else if cursor.accept(&["GENERATED"]) {
            generated(cursor, column)?;
        } else if cursor.accept(&["IDENTITY"]) {
            cursor.skip_group();
            column.generated = Generated::Always;
            column.not_null = true;
        } else if cursor.accept(&["COLLATE"]) {
            let collation = cursor.qualified()?;
            column.collation = Some(collation.name.value).filter(|_| cursor.flavor() == Flavor::Tsql);
        } else if cursor.accept(&["STORAGE"]) || cursor.accept(&["COMPRESSION"]) {
            cursor.qualified()?;
        } else if cursor.accept(&["MASKED", "WITH"]) || cursor.accept(&["ENCRYPTED", "WITH"]) {
            cursor.skip_group();
        } else {
            return Ok(["PERSISTED", "SPARSE", "ROWGUIDCOL", "HIDDEN", "STORED", "VIRTUAL", "WITH", "VALUES"]
                .iter()
                .any(|word| cursor.accept(&[word])));
        }
        Ok(true)
    }

    /// Reads a constraint of the table.
    pub(super) fn constraint(&mut self, mut cursor: Cursor<'a>) -> Read<()> {
        let whole = cursor;
        let span = cursor.span();
        let name = if cursor.accept(&["CONSTRAINT"]) { Some(cursor.identifier()?.value) } else { None };
        if cursor.at(&["PRIMARY", "KEY"]) || cursor.at(&["UNIQUE"]) {
            let primary = cursor.at(&["PRIMARY"]);
            cursor.skip();
            cursor.accept(&["KEY"]);
            let from = cursor;
            let before = key_options(&mut cursor);
            let (head, _) = clustering(from.until(&cursor).source(), cursor.flavor());
            let list = cursor.group()?;
            let (columns, listed) = (names(list)?, list.source().to_string());
            let from = cursor;
            let nulls_equal = before | key_options(&mut cursor);
            let tail = from.source().to_string();
            self.keys.push(Key { name, primary, columns, nulls_equal, span, head, listed, tail });
        } else if cursor.accept(&["CHECK"]) {
            self.check(&mut cursor, name)?;
        } else if cursor.accept(&["FOREIGN", "KEY"]) {
            let columns = names(cursor.group()?)?.into_iter().map(|c| c.value).collect();
            self.references(&mut cursor, name, columns, span)?;
        } else if cursor.accept(&["EXCLUDE"]) {
            self.unjudged.push((whole.source().to_string(), span));
            self.others.push((name, format!("EXCLUDE {}", cursor.source())));
            return Ok(());
        } else if cursor.accept(&["NOT", "NULL"]) {
            // Postgres 18 names these as table constraints.
            let column = cursor.identifier()?.value;
            if let Some(column) = self.columns.iter_mut().find(|c| c.name == column) {
                column.not_null = true;
            }
        } else {
            return Err(cursor.trouble("a constraint"));
        }
        trailing(&mut cursor)
    }

    fn check(&mut self, cursor: &mut Cursor<'a>, name: Option<String>) -> Read<()> {
        cursor.accept(&["NOT", "FOR", "REPLICATION"]);
        let holds = cursor.group()?;
        let from = *cursor;
        let mut enforced = true;
        loop {
            if cursor.accept(&["NOT", "ENFORCED"]) {
                enforced = false;
            } else if !(cursor.accept(&["NO", "INHERIT"]) || cursor.accept(&["NOT", "VALID"]) || cursor.accept(&["ENFORCED"])) {
                break;
            }
        }
        let tail = from.until(cursor).source().to_string();
        self.checks.push(Pending { name, holds, enforced, tail });
        Ok(())
    }

    fn references(&mut self, cursor: &mut Cursor<'a>, name: Option<String>, columns: Vec<String>, span: Span) -> Read<()> {
        let from = *cursor;
        if !cursor.accept(&["REFERENCES"]) {
            return Err(cursor.trouble("`REFERENCES`"));
        }
        let table = cursor.qualified()?;
        let references = if cursor.at_group() { names(cursor.group()?)? } else { vec![] };
        let mut key = ForeignKey {
            name,
            columns,
            schema: table.schema,
            table: table.name.value,
            references: references.into_iter().map(|c| c.value).collect(),
            on_delete: None,
            on_update: None,
            deferrable: false,
        };
        let mut full = false;
        loop {
            if cursor.accept(&["ON", "DELETE"]) {
                key.on_delete = Some(action(cursor)?);
            } else if cursor.accept(&["ON", "UPDATE"]) {
                key.on_update = Some(action(cursor)?);
            } else if cursor.accept(&["MATCH", "FULL"]) {
                full = true;
            } else if cursor.accept(&["MATCH"]) {
                cursor.skip();
            } else if cursor.accept(&["DEFERRABLE"]) || cursor.accept(&["INITIALLY", "DEFERRED"]) {
                key.deferrable = true;
            } else if !skip_key_words(cursor) {
                break;
            }
        }
        let tail = from.until(cursor).source().to_string();
        if full && key.columns.len() > 1 {
            self.matched_whole.push((key.columns.clone(), span));
        }
        self.foreign_keys.push((key, span, tail));
        Ok(())
    }
}

/// Reads T-SQL's `INDEX name ...` among the columns, or behind the one that it is about.
fn index<'a>(cursor: &mut Cursor<'a>, column: Option<Cursor<'a>>) -> Read<IndexDraft<'a>> {
    let whole = *cursor;
    cursor.accept(&["INDEX"]);
    let name = Some(cursor.identifier()?.value);
    let from = *cursor;
    let unique = cursor.accept(&["UNIQUE"]);
    let _ = cursor.accept(&["CLUSTERED"]) || cursor.accept(&["NONCLUSTERED"]);
    let words = from.until(cursor).source().to_string();
    let after = *cursor;
    let parts = match column {
        Some(column) if !cursor.at_group() => vec![column],
        _ => cursor.group()?.commas().into_iter().map(part).collect(),
    };
    let mut draft = IndexDraft { name, words, ..IndexDraft::new(parts, unique, whole) };
    match column {
        // What comes next is the column's.
        Some(column) => draft.tail = format!("({})", column.source()),
        None => {
            indexed(&mut draft, cursor);
            draft.tail = after.source().to_string();
        }
    }
    Ok(draft)
}

/// Splits what follows a key's words: T-SQL says before the columns whether it is clustered.
fn clustering(words: &str, flavor: Flavor) -> (String, String) {
    let first = words.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    match first.as_str() {
        "CLUSTERED" | "NONCLUSTERED" if flavor == Flavor::Tsql => {
            let tail = words.trim_start().get(first.len()..).unwrap_or_default();
            (first, tail.trim_start().to_string())
        }
        _ => (String::new(), words.to_string()),
    }
}

/// Reads what ON DELETE does, in lower case.
fn action(cursor: &mut Cursor<'_>) -> Read<String> {
    for words in [&["CASCADE"][..], &["RESTRICT"], &["NO", "ACTION"], &["SET", "NULL"], &["SET", "DEFAULT"]] {
        if cursor.accept(words) {
            cursor.skip_group();
            return Ok(words.join(" ").to_lowercase());
        }
    }
    Err(cursor.trouble("`CASCADE`, `SET NULL` or another action"))
}

/// Goes past the options of a key; tells whether two NULLs are equal in it.
fn key_options(cursor: &mut Cursor<'_>) -> bool {
    let mut nulls_equal = cursor.flavor() == Flavor::Tsql;
    loop {
        if cursor.accept(&["NULLS", "NOT", "DISTINCT"]) {
            nulls_equal = true;
        } else if cursor.accept(&["INCLUDE"]) || cursor.accept(&["WITH"]) {
            cursor.skip_group();
        } else if cursor.accept(&["USING", "INDEX", "TABLESPACE"]) || (cursor.flavor() == Flavor::Tsql && cursor.accept(&["ON"]))
        {
            cursor.skip();
            cursor.skip_group();
        } else if !(cursor.accept(&["NULLS", "DISTINCT"])
            || cursor.accept(&["CLUSTERED"])
            || cursor.accept(&["NONCLUSTERED"])
            || skip_deferrable(cursor))
        {
            return nulls_equal;
        }
    }
}

fn skip_deferrable(cursor: &mut Cursor<'_>) -> bool {
    cursor.accept(&["DEFERRABLE"])
        || cursor.accept(&["NOT", "DEFERRABLE"])
        || cursor.accept(&["INITIALLY", "IMMEDIATE"])
        || cursor.accept(&["INITIALLY", "DEFERRED"])
}

fn skip_key_words(cursor: &mut Cursor<'_>) -> bool {
    [&["NOT", "DEFERRABLE"][..], &["INITIALLY", "IMMEDIATE"], &["NOT", "VALID"], &["NOT", "FOR", "REPLICATION"], &["ENFORCED"]]
        .iter()
        .any(|words| cursor.accept(words))
}

/// Goes past what may follow a constraint, and complains about anything else.
fn trailing(cursor: &mut Cursor<'_>) -> Read<()> {
    while skip_key_words(cursor) || skip_deferrable(cursor) || cursor.accept(&["NO", "INHERIT"]) {}
    if cursor.is_empty() { Ok(()) } else { Err(cursor.trouble("the end of the constraint")) }
}

/// Reads a list of column names, each perhaps with a sort order.
pub(super) fn names(list: Cursor<'_>) -> Read<Vec<Spanned<String>>> {
    let mut found = vec![];
    for mut part in list.commas() {
        found.push(part.identifier()?);
        let _ = part.accept(&["ASC"]) || part.accept(&["DESC"]);
        if !part.is_empty() {
            return Err(part.trouble("`,` or `)`"));
        }
    }
    if found.is_empty() { Err(list.trouble("a column")) } else { Ok(found) }
}

/// Reads a default as text.
pub(super) fn default<'a>(cursor: &mut Cursor<'a>) -> Read<String> {
    let start = *cursor;
    // A default may be NULL itself; only what follows its first word can end it.
    cursor.skip_one();
    cursor.take_until(|c| AFTER_DEFAULT.iter().any(|word| c.at(&[word])) || c.at(&["WITH", "VALUES"]));
    let taken = start.until(cursor);
    if taken.is_empty() { Err(start.trouble("a default")) } else { Ok(taken.source().to_string()) }
}

/// Reads what follows GENERATED.
pub(super) fn generated(cursor: &mut Cursor<'_>, column: &mut Column) -> Read<()> {
    let always = cursor.accept(&["ALWAYS"]);
    if !always && !cursor.accept(&["BY", "DEFAULT"]) {
        return Err(cursor.trouble("`ALWAYS` or `BY DEFAULT`"));
    }
    cursor.accept(&["ON", "NULL"]);
    if !cursor.accept(&["AS"]) {
        return Err(cursor.trouble("`AS`"));
    }
    if cursor.accept(&["IDENTITY"]) {
        column.generated = if always { Generated::Always } else { Generated::ByDefault };
        column.not_null = true;
    } else {
        column.generated = Generated::Computed;
        // T-SQL's `ROW START` and `ROW END`.
        let _ = cursor.accept(&["ROW", "START"]) || cursor.accept(&["ROW", "END"]);
    }
    cursor.skip_group();
    Ok(())
}
