//! Contracts from a team's own `CREATE TABLE` statements, read as they are.
//!
//! In: schema files in Postgres's or SQL Server's dialect, dumps among them. Out: one [`Contract`] per table. Statements that say
//! nothing about rows are passed over in silence; one that should but cannot be read is a warning and loses nothing else.
//! Does not know about live databases.

use std::collections::BTreeMap;

use sqlparser::tokenizer::Token;

use super::ddl_alter::{alter, create_index};
use super::ddl_cursor::{Cursor, Lexeme, Qualified, Read, Trouble, tokenize};
use super::ddl_names::Names;
use super::ddl_settle::{Context, index, schema_of, settle};
use super::ddl_split::split;
use super::ddl_type::{self, Domain, DomainCheck, NamedType, Types};
use super::{Contract, ddl_table};
use crate::diagnostics::{Diagnostics, FileId, SourceMap, Span};

/// Whose dialect a schema file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    Postgres,
    Tsql,
}

/// Reads one schema file.
pub fn read(sources: &SourceMap, file: FileId, dialect: Flavor, out: &mut Diagnostics) -> Vec<Contract> {
    read_all(sources, &[file], dialect, out)
}

/// Reads the schema files of a project as one: a file may alter the tables and use the types of those before it.
pub fn read_all(sources: &SourceMap, files: &[FileId], dialect: Flavor, out: &mut Diagnostics) -> Vec<Contract> {
    let mut statements: Vec<(FileId, Vec<Lexeme>)> = vec![];
    for file in files {
        let text = sources.text(*file);
        let mut module = None;
        for piece in split(text, dialect) {
            // The body of a procedure is its batch; its semicolons split nothing.
            if module == Some(piece.batch) {
                continue;
            }
            let range = (piece.bytes.start, piece.bytes.end);
            let first = text.get(piece.bytes.clone()).unwrap_or("");
            if dialect == Flavor::Tsql && makes_module(first) {
                module = Some(piece.batch);
                continue;
            }
            if !matters(first) {
                continue;
            }
            match tokenize(text, *file, dialect, range) {
                Ok(lexemes) => statements.push((*file, lexemes)),
                Err(trouble) => unreadable("this statement", &trouble, out),
            }
        }
    }
    let mut reader = Reader {
        flavor: dialect,
        if_missing: false,
        made: Default::default(),
        types: Types::new(),
        names: Names::default(),
        contracts: vec![],
    };
    let cursors = || {
        statements.iter().flat_map(|(file, lexemes)| {
            let whole = Cursor::new(sources.text(*file), *file, dialect, lexemes);
            if dialect == Flavor::Tsql { without_semicolons(whole) } else { vec![(whole, false)] }
        })
    };
    // Types first: a dump may use them before it makes them, and values are added to them later.
    for (cursor, _) in cursors() {
        reader.report(cursor, Reader::type_statement, out);
    }
    for (cursor, if_missing) in cursors() {
        reader.if_missing = if_missing;
        reader.report(cursor, Reader::table_statement, out);
    }
    reader.note_types();
    super::complete_references(&mut reader.contracts);
    reader.contracts
}

/// Reports what cannot be read.
pub(super) fn unreadable(what: &str, trouble: &Trouble, out: &mut Diagnostics) {
    out.warning("W0501", trouble.span, format!("{what} cannot be read: expected {}", trouble.expected))
        .help("What it demands is not checked before the load; the rest of the file is.");
}

/// The words that statements start with which say nothing about what rows a table may hold.
const PASSED_OVER: &str = "ANALYZE CALL CLUSTER COMMENT COMMIT COPY DBCC DECLARE DELETE DENY DO ELSE END EXEC EXECUTE EXPLAIN \
    GRANT IMPORT INSERT LISTEN LOAD LOCK MERGE NOTIFY PRINT RAISERROR REASSIGN REFRESH REINDEX RELEASE RESET RETURN REVOKE ROLLBACK \
    SAVE SAVEPOINT SECURITY SELECT SET SHOW START THROW TRUNCATE UPDATE USE VACUUM VALUES WAITFOR WHILE WITH";

/// Tells whether a statement has to be looked at: it may say something about rows, or it is nothing that we know.
fn matters(text: &str) -> bool {
    let first = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("").to_ascii_uppercase();
    !PASSED_OVER.split_whitespace().any(|word| word == first)
}

/// Tells whether a T-SQL statement makes something with a body of statements.
fn makes_module(text: &str) -> bool {
    let words: Vec<String> = text.split_whitespace().take(4).map(str::to_ascii_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|w| !["OR", "ALTER"].contains(w)).collect();
    let kind = match words.as_slice() {
        ["CREATE", kind, ..] => kind,
        [kind, ..] if text.to_ascii_uppercase().starts_with("ALTER") => kind,
        _ => return false,
    };
    ["PROC", "PROCEDURE", "FUNCTION", "TRIGGER", "VIEW"].contains(kind)
}

/// Splits T-SQL statements that follow each other without a semicolon, and finds those inside `IF ... BEGIN ... END`; tells which stand
/// behind an IF.
fn without_semicolons(whole: Cursor<'_>) -> Vec<(Cursor<'_>, bool)> {
    let conditional = whole.at(&["IF"]);
    let starts = |c: &Cursor<'_>| {
        let second = c.word(1).unwrap_or_default();
        (c.at(&["CREATE"]) && ["TABLE", "INDEX", "UNIQUE", "CLUSTERED", "NONCLUSTERED", "TYPE"].contains(&second.as_str()))
            || c.at(&["ALTER", "TABLE"])
            || c.at(&["DROP", "TABLE"])
    };
    let mut rest = whole;
    let mut found = vec![];
    while !rest.is_empty() {
        let before = rest.take_until(starts);
        if found.is_empty() && !before.is_empty() {
            found.push((before, false));
        }
        if !rest.is_empty() {
            let start = rest;
            rest.skip();
            rest.take_until(|c| starts(c) || c.at(&["END"]));
            found.push((start.until(&rest), conditional));
        }
        if rest.at(&["END"]) {
            rest.skip();
        }
    }
    found
}

struct Reader {
    flavor: Flavor,
    /// Whether the statement that is read stands behind an IF.
    if_missing: bool,
    types: Types,
    /// The name and the statement of each type, by its name without schema.
    made: BTreeMap<String, (String, String)>,
    names: Names,
    contracts: Vec<Contract>,
}

type Reading<'a> = fn(&mut Reader, Cursor<'a>, &mut Diagnostics) -> Read<()>;

impl Reader {
    fn report<'a>(&mut self, cursor: Cursor<'a>, read: Reading<'a>, out: &mut Diagnostics) {
        if let Err(trouble) = read(self, cursor, out) {
            unreadable("this statement", &trouble, out);
        }
    }

    /// Reads CREATE TYPE, CREATE DOMAIN and ALTER TYPE.
    fn type_statement<'a>(&mut self, mut cursor: Cursor<'a>, _out: &mut Diagnostics) -> Read<()> {
        let whole = cursor.source();
        if cursor.accept(&["CREATE", "TYPE"]) {
            let from = cursor;
            let name = cursor.qualified()?.name.value;
            self.made.insert(name.clone(), (from.until(&cursor).source().to_string(), whole.to_string()));
            if cursor.accept(&["AS", "ENUM"]) {
                let values = cursor.group()?.commas().iter_mut().map(Cursor::text_literal).collect::<Read<_>>()?;
                self.types.insert(name, NamedType::Enum(values));
            } else if self.flavor == Flavor::Tsql && cursor.accept(&["FROM"]) {
                let base = ddl_type::read(&mut cursor, &self.types)?;
                let domain = Domain { base, not_null: cursor.accept(&["NOT", "NULL"]), default: None, checks: vec![] };
                self.types.insert(name, NamedType::Domain(domain));
            }
        } else if cursor.accept(&["CREATE", "DOMAIN"]) {
            let from = cursor;
            let name = cursor.qualified()?;
            self.made.insert(name.name.value.clone(), (from.until(&cursor).source().to_string(), whole.to_string()));
            let domain = self.domain(&name, cursor)?;
            self.types.insert(name.name.value, NamedType::Domain(domain));
        } else if cursor.accept(&["ALTER", "TYPE"]) {
            let name = cursor.qualified()?.name.value;
            if cursor.accept(&["ADD", "VALUE"]) {
                cursor.accept(&["IF", "NOT", "EXISTS"]);
                let value = cursor.text_literal()?;
                let after = cursor.accept(&["AFTER"]);
                let neighbour = if after || cursor.accept(&["BEFORE"]) { Some(cursor.text_literal()?) } else { None };
                if let Some(NamedType::Enum(values)) = self.types.get_mut(&name)
                    && !values.contains(&value)
                {
                    let beside = neighbour.and_then(|n| values.iter().position(|v| *v == n));
                    values.insert(beside.map_or(values.len(), |at| at + usize::from(after)), value);
                }
            } else if cursor.accept(&["RENAME", "VALUE"]) {
                let from = cursor.text_literal()?;
                cursor.accept(&["TO"]);
                let to = cursor.text_literal()?;
                if let Some(NamedType::Enum(values)) = self.types.get_mut(&name) {
                    values.iter_mut().filter(|v| **v == from).for_each(|v| v.clone_from(&to));
                }
            }
        }
        Ok(())
    }

    /// Gives each table the statements of the types that its columns use.
    fn note_types(&mut self) {
        for contract in &mut self.contracts {
            let mut found: Vec<(String, String)> = vec![];
            for column in &contract.columns {
                let mut chain = vec![];
                let mut next = column.type_name.clone();
                while let Some(name) = next.take().map(|n| n.trim_end_matches("[]").to_string()) {
                    let Some((written, statement)) = self.made.get(&name) else { break };
                    let statement = match self.types.get(&name) {
                        // Values may have been added to it since.
                        Some(NamedType::Enum(values)) => {
                            let values: Vec<String> = values.iter().map(|v| format!("'{}'", v.replace('\'', "''"))).collect();
                            format!("CREATE TYPE {written} AS ENUM ({})", values.join(", "))
                        }
                        _ => statement.clone(),
                    };
                    if let Some(NamedType::Domain(domain)) = self.types.get(&name) {
                        next = domain.base.type_name.clone().filter(|below| *below != name);
                    }
                    chain.push((written.clone(), statement));
                }
                chain.reverse();
                chain.retain(|c| !found.contains(c));
                found.extend(chain);
            }
            contract.written.types = found;
        }
    }

    fn domain(&mut self, name: &Qualified, mut cursor: Cursor<'_>) -> Read<Domain> {
        cursor.accept(&["AS"]);
        let base = ddl_type::read(&mut cursor, &self.types)?;
        let mut domain = Domain { base, not_null: false, default: None, checks: vec![] };
        let mut constraint = None;
        while !cursor.is_empty() {
            if cursor.accept(&["CONSTRAINT"]) {
                constraint = Some(cursor.identifier()?.value);
            } else if cursor.accept(&["NOT", "NULL"]) {
                domain.not_null = true;
            } else if cursor.accept(&["DEFAULT"]) {
                domain.default = Some(ddl_table::default(&mut cursor)?);
            } else if cursor.accept(&["CHECK"]) {
                let holds = cursor.group()?;
                let schema = name.schema.as_deref().unwrap_or("public");
                let chosen = match constraint.take() {
                    Some(name) => name,
                    None => self.names.choose_constraint(schema, (&name.name.value, "", "check")),
                };
                let (text, span) = (holds.source().to_string(), holds.span());
                domain.checks.push(DomainCheck { name: chosen, text, holds: holds.expression(), span });
            } else if cursor.accept(&["COLLATE"]) {
                cursor.qualified()?;
            } else if !(cursor.accept(&["NULL"]) || cursor.accept(&["NOT", "VALID"])) {
                return Err(cursor.trouble("`CHECK`, `DEFAULT` or `NOT NULL`"));
            }
        }
        Ok(domain)
    }

    /// Reads CREATE TABLE, ALTER TABLE, CREATE INDEX and DROP TABLE.
    fn table_statement<'a>(&mut self, mut cursor: Cursor<'a>, out: &mut Diagnostics) -> Read<()> {
        let whole = cursor;
        if cursor.accept(&["CREATE"]) {
            cursor.accept(&["UNLOGGED"]);
            if cursor.accept(&["TABLE"]) {
                return self.create_table(cursor, whole.span(), out);
            }
            let unique = cursor.accept(&["UNIQUE"]);
            let _ = cursor.accept(&["CLUSTERED"]) || cursor.accept(&["NONCLUSTERED"]);
            if cursor.accept(&["INDEX"]) {
                let (table, written) = create_index(cursor, unique, whole)?;
                if let Some((at, mut context)) = self.find(&table, whole.span(), out) {
                    index(at, written, &mut context);
                }
            }
            // Temporary and foreign tables, views, functions and the like are no targets.
        } else if cursor.accept(&["ALTER", "TABLE"]) {
            cursor.accept(&["IF", "EXISTS"]);
            cursor.accept(&["ONLY"]);
            let table = cursor.qualified()?;
            let _ = cursor.accept_token(&Token::Mul);
            if cursor.at(&["OWNER"]) || cursor.at(&["ENABLE"]) || cursor.at(&["ATTACH"]) {
                return Ok(());
            }
            if let Some((at, mut context)) = self.find(&table, table.name.span, out) {
                alter(at, cursor, &mut context, out);
            }
        } else if cursor.accept(&["DROP", "TABLE"]) {
            cursor.accept(&["IF", "EXISTS"]);
            for mut part in cursor.commas() {
                let table = part.qualified()?;
                self.contracts.retain(|c| !is(c, &table, self.flavor));
            }
        } else if !["ALTER", "DROP", "IF", "BEGIN"].iter().any(|word| cursor.at(&[word])) {
            return Err(cursor.trouble("a SQL statement"));
        }
        Ok(())
    }

    fn create_table(&mut self, mut cursor: Cursor<'_>, span: Span, out: &mut Diagnostics) -> Read<()> {
        let if_missing = cursor.accept(&["IF", "NOT", "EXISTS"]) || self.if_missing;
        let table = cursor.qualified()?;
        // A partition has the rules of the table that it is a part of; a temporary table is no target.
        if cursor.at(&["PARTITION", "OF"]) || table.name.value.starts_with('#') {
            return Ok(());
        }
        if !cursor.at_group() {
            return Err(cursor.trouble("`(` and the columns"));
        }
        if let Some(first) = self.contracts.iter().find(|c| is(c, &table, self.flavor)) {
            if !if_missing {
                out.warning("W0503", table.name.span, format!("table `{}` is created twice", table.name.value))
                    .label(first.span, "first here")
                    .help("The first one counts. Remove the other, or drop the table before it.");
            }
            return Ok(());
        }
        let draft = ddl_table::elements(cursor.group()?, &self.types, out);
        let span = Span { end: table.name.span.end, ..span };
        let mut contract = Contract::new(table.schema, table.name.value, span);
        self.names.take_relation(schema_of(&contract), &contract.table);
        let if_missing = self.if_missing;
        let mut context = Context { flavor: self.flavor, types: &self.types, names: &mut self.names, if_missing };
        settle(&mut contract, draft, &mut context, out);
        self.contracts.push(contract);
        Ok(())
    }

    /// Finds a table that was created before.
    fn find(&mut self, table: &Qualified, span: Span, out: &mut Diagnostics) -> Option<(&mut Contract, Context<'_>)> {
        let flavor = self.flavor;
        let Some(at) = self.contracts.iter().position(|c| is(c, table, flavor)) else {
            let name = &table.name.value;
            out.warning("W0502", span, format!("the statement is about table `{name}`, which no statement before it creates"))
                .suggest(name, self.contracts.iter().map(|c| c.table.as_str()))
                .help("What it demands is not checked before the load.");
            return None;
        };
        let if_missing = self.if_missing;
        let context = Context { flavor, types: &self.types, names: &mut self.names, if_missing };
        self.contracts.get_mut(at).map(|contract| (contract, context))
    }
}

/// Tells whether a contract is the one that a name means; a schema that is not written is the default one.
fn is(contract: &Contract, table: &Qualified, flavor: Flavor) -> bool {
    let default = if flavor == Flavor::Postgres { "public" } else { "dbo" };
    let same = |a: &str, b: &str| {
        if flavor == Flavor::Tsql { a.eq_ignore_ascii_case(b) } else { a == b }
    };
    let schemas = (contract.schema.as_deref().unwrap_or(default), table.schema.as_deref().unwrap_or(default));
    same(schemas.0, schemas.1) && same(&contract.table, &table.name.value)
}

#[cfg(test)]
#[path = "ddl_tests.rs"]
mod tests;
