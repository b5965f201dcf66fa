//! `pipe schema ddl`: the statements that make what a contract describes, in T-SQL.
//!
//! In: contracts. Out: one script in one transaction, which makes what is missing and leaves what is there: run twice, it does nothing the
//! second time. Types come first, foreign keys last, so that the order of the tables does not matter. A constraint is there if one of its
//! name is; one without a name is if there is a key of its columns, or a CHECK that the server writes in the same words.
//! Does not know what the database has, nor how columns are written.

use super::schema_table::body;
use super::text::{self, identifier, literal};
use super::{AzureSql, batch};
use crate::contract::{ConstraintKind, Contract, ForeignKey, WrittenConstraint, usual_name};
use crate::emit::definition::{self, Define, Definitions, Extras};
use crate::emit::load::File;
use crate::expr::Expr;
use crate::sql::Unsupported;
use crate::sql::view::azure_sql::constraint;
use crate::types::DataType;

/// The privileges that a table has.
const PRIVILEGES: &[&str] = &["select", "insert", "update", "delete", "references", "alter", "control", "view definition"];

impl Define for AzureSql {
    fn definitions(&self, contracts: &[&Contract], schema: &str, extras: Extras) -> Definitions {
        let mut script = Script { text: batch::begin(File::Deploy), done: 0, schema, refused: vec![] };
        script.text.insert_str(
            0,
            "-- Makes what is missing and leaves what is there. Run with: sqlcmd -b -f 65001, or in Azure Data Studio or SSMS.\n",
        );
        script.schemas(contracts);
        script.types(contracts);
        contracts.iter().for_each(|c| script.table(c));
        contracts.iter().for_each(|c| script.constraints(c));
        contracts.iter().for_each(|c| script.indexes(c));
        contracts.iter().for_each(|c| script.foreign_keys(c));
        if extras.updated_at {
            contracts.iter().for_each(|c| script.trigger(c));
        }
        if extras.grants {
            contracts.iter().for_each(|c| script.grants(c));
        }
        script.text.push_str(&batch::end(File::Deploy, script.done, ""));
        Definitions { script: script.text, refused: script.refused }
    }

    fn names(&self, columns: &[String]) -> String {
        text::names("", columns.iter().map(String::as_str))
    }

    /// One NULL is all that a unique key takes.
    fn unique(&self, _nulls_equal: bool) -> &'static str {
        "UNIQUE"
    }

    fn condition(&self, contract: &Contract, holds: &Expr) -> Result<String, Unsupported> {
        let columns: Vec<(String, DataType)> = contract.columns.iter().map(|c| (c.name.clone(), c.data_type.clone())).collect();
        constraint(&columns, holds)
    }

    fn foreign_key(&self, key: &ForeignKey, contract: &Contract, schema: &str) -> String {
        // A file in T-SQL means the usual schema, a contract in YAML its own.
        let own = contract.schema.as_deref().filter(|_| contract.written.columns.is_empty());
        let schema = key.schema.as_deref().or(own).unwrap_or(schema);
        let action = |when: &str, what: &Option<String>| match what.as_deref() {
            // All that the server knows besides these is to refuse.
            Some(what @ ("cascade" | "set null" | "set default")) => format!(" ON {when} {}", what.to_uppercase()),
            _ => String::new(),
        };
        let references = if key.references.is_empty() { String::new() } else { format!(" ({})", self.names(&key.references)) };
        format!(
            "FOREIGN KEY ({}) REFERENCES {}{references}{}{}",
            self.names(&key.columns),
            text::relation(Some(schema), &key.table),
            action("DELETE", &key.on_delete),
            action("UPDATE", &key.on_update)
        )
    }
}

struct Script<'a> {
    text: String,
    /// The batches so far.
    done: u32,
    schema: &'a str,
    refused: Vec<String>,
}

impl Script<'_> {
    fn batch(&mut self, title: &str, sql: &str) {
        if !sql.is_empty() {
            self.text.push_str(&batch::batch(self.done, title, sql));
            self.done += 1;
        }
    }

    fn name(&self, contract: &Contract) -> String {
        text::relation(Some(contract.schema.as_deref().unwrap_or(self.schema)), &contract.table)
    }

    fn schemas(&mut self, contracts: &[&Contract]) {
        let mut schemas: Vec<&str> = contracts.iter().map(|c| c.schema.as_deref().unwrap_or(self.schema)).collect();
        schemas.sort_unstable();
        schemas.dedup();
        let mut sql = String::new();
        for name in schemas.into_iter().filter(|name| *name != "dbo") {
            // It must be alone in its batch.
            let statement = literal(&format!("CREATE SCHEMA {}", identifier(name)));
            sql.push_str(&format!("IF SCHEMA_ID({}) IS NULL EXEC({statement});\n", literal(name)));
        }
        self.batch("The schemas.", &sql);
    }

    fn types(&mut self, contracts: &[&Contract]) {
        let mut made: Vec<&(String, String)> = vec![];
        let mut sql = String::new();
        for known in contracts.iter().flat_map(|c| &c.written.types) {
            if !made.contains(&known) {
                sql.push_str(&format!("IF TYPE_ID({}) IS NULL\n{};\n", literal(&known.0), known.1.trim_end_matches(';')));
                made.push(known);
            }
        }
        self.batch("The types.", &sql);
    }

    fn table(&mut self, contract: &Contract) {
        let name = self.name(contract);
        let body = body(contract, &mut self.refused);
        // A new table has no rows for which a default would have to say that it is theirs as well.
        let columns = body.columns.iter().map(|(_, c)| c.replace(" WITH VALUES", ""));
        let elements: Vec<String> = columns.chain(body.elements.iter().cloned()).map(|e| format!("\n    {e}")).collect();
        let mut sql =
            format!("IF OBJECT_ID({}, N'U') IS NULL\nCREATE TABLE {name} ({}\n);\n", literal(&name), elements.join(","));
        for (column, definition) in &body.columns {
            sql.push_str(&format!(
                "IF COL_LENGTH({}, {}) IS NULL ALTER TABLE {name} ADD {definition};\n",
                literal(&name),
                literal(column)
            ));
        }
        self.batch(&format!("The table {} and its columns.", contract.table), &sql);
    }

    /// Primary and unique keys and CHECKs.
    fn constraints(&mut self, contract: &Contract) {
        let table = self.name(contract);
        let (mut sql, mut not_made) = (String::new(), vec![]);
        let mut all = definition::constraints(&AzureSql, contract, self.schema, &mut not_made);
        all.retain(|c| c.kind != ConstraintKind::Foreign);
        all.sort_by_key(|c| c.kind != ConstraintKind::PrimaryKey);
        for (constraint, chosen) in named(contract, all) {
            let object = literal(&table);
            let missing = match (constraint.kind, chosen) {
                (ConstraintKind::PrimaryKey, _) => {
                    format!(
                        "NOT EXISTS (SELECT 1 FROM sys.key_constraints WHERE parent_object_id = OBJECT_ID({object}) AND type = N'PK')"
                    )
                }
                (_, true) if constraint.text.starts_with("UNIQUE") => no_unique(&object, &AzureSql.names(&constraint.columns)),
                _ => no_object(&object, &constraint),
            };
            sql.push_str(&format!("IF {missing}\nALTER TABLE {table} ADD {};\n", said(&constraint)));
            if chosen && constraint.text.starts_with("CHECK") {
                sql.push_str(&only_one(&table, &constraint));
            }
        }
        for rule in not_made {
            sql.push_str(&text::comment(&format!("not made, since T-SQL cannot say it: {rule}")));
        }
        self.batch(&format!("The keys and conditions of {}.", contract.table), &sql);
    }

    fn indexes(&mut self, contract: &Contract) {
        let table = self.name(contract);
        let mut sql = String::new();
        let mut add = |name: &str, words: &str, tail: &str| {
            let words = if words.is_empty() { String::new() } else { format!("{words} ") };
            sql.push_str(&format!(
                "IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE object_id = OBJECT_ID({}) AND name = {})\n\
                 CREATE {words}INDEX {} ON {table} {tail};\n",
                literal(&table),
                literal(name),
                identifier(name)
            ));
        };
        for index in &contract.written.indexes {
            let name = index.name.clone().unwrap_or_else(|| usual_name(&contract.table, &[], "idx"));
            add(&name, &index.words, index.tail.trim_end_matches(';'));
        }
        if contract.written.columns.is_empty() {
            for index in contract.indexes.iter().filter(|i| !i.columns.is_empty()) {
                let name = index.name.clone().unwrap_or_else(|| usual_name(&contract.table, &index.columns, "idx"));
                add(&name, "", &format!("({})", AzureSql.names(&index.columns)));
            }
        }
        self.batch(&format!("The indexes of {}.", contract.table), &sql);
    }

    fn foreign_keys(&mut self, contract: &Contract) {
        let table = self.name(contract);
        let made = |key: &ForeignKey| WrittenConstraint {
            name: key.name.clone(),
            kind: ConstraintKind::Foreign,
            columns: key.columns.clone(),
            text: AzureSql.foreign_key(key, contract, self.schema),
        };
        let keys = contract.foreign_keys.iter().map(made).collect();
        let mut sql = String::new();
        for (constraint, chosen) in named(contract, keys) {
            let object = literal(&table);
            let missing = if chosen { no_foreign_key(&object, &constraint) } else { no_object(&object, &constraint) };
            sql.push_str(&format!("IF {missing}\nALTER TABLE {table} ADD {};\n", said(&constraint)));
        }
        self.batch(&format!("The foreign keys of {}.", contract.table), &sql);
    }

    fn trigger(&mut self, contract: &Contract) {
        let Some(column) = contract.column("updated_at") else { return };
        let title = format!("The trigger of {}.", contract.table);
        let now = match column.data_type {
            DataType::TimestampTz(_) => "SYSDATETIMEOFFSET()",
            _ => "SYSUTCDATETIME()",
        };
        let table = self.name(contract);
        if contract.primary_key.is_empty() {
            let why = format!("not made, since {} has no primary key by which to find its rows again", contract.table);
            return self.batch(&title, &text::comment(&why));
        }
        let schema = contract.schema.as_deref().unwrap_or(self.schema);
        let trigger = text::relation(Some(schema), &usual_name(&contract.table, &[], "updated_at"));
        let same: Vec<String> = contract.primary_key.iter().map(|k| identifier(k)).map(|k| format!("t.{k} = i.{k}")).collect();
        // What the trigger itself changes does not call it again.
        let body = format!(
            "CREATE OR ALTER TRIGGER {trigger} ON {table} AFTER UPDATE AS BEGIN SET NOCOUNT ON; \
             IF TRIGGER_NESTLEVEL(@@PROCID, 'AFTER', 'DML') > 1 RETURN; \
             UPDATE t SET {} = {now} FROM {table} AS t INNER JOIN inserted AS i ON {}; END",
            identifier("updated_at"),
            same.join(" AND ")
        );
        self.batch(&title, &format!("EXEC({});\n", literal(&body)));
    }

    fn grants(&mut self, contract: &Contract) {
        let table = self.name(contract);
        let mut sql = String::new();
        for (privilege, roles) in contract.grants.iter().filter(|(_, roles)| !roles.is_empty()) {
            let privilege = privilege.to_lowercase().replace('_', " ");
            match PRIVILEGES.contains(&privilege.as_str()) {
                true => sql.push_str(&format!("GRANT {} ON {table} TO {};\n", privilege.to_uppercase(), AzureSql.names(roles))),
                false => sql.push_str(&text::comment(&format!("not granted, since T-SQL has no such privilege: {privilege}"))),
            }
        }
        self.batch(&format!("The privileges on {}.", contract.table), &sql);
    }
}

/// Gives names to constraints that have none, and tells which these are: the server would choose others each time.
fn named(contract: &Contract, constraints: Vec<WrittenConstraint>) -> Vec<(WrittenConstraint, bool)> {
    let mut taken: Vec<WrittenConstraint> = constraints.iter().filter(|c| c.name.is_some()).cloned().collect();
    let mut found = vec![];
    for mut constraint in constraints {
        let chosen = constraint.name.is_none();
        if chosen {
            let (columns, label): (&[String], _) = match constraint.kind {
                ConstraintKind::PrimaryKey => (&[], "pkey"),
                ConstraintKind::Foreign => (&constraint.columns, "fkey"),
                ConstraintKind::Other if constraint.text.starts_with("UNIQUE") => (&constraint.columns, "key"),
                ConstraintKind::Other => (&constraint.columns, "check"),
            };
            constraint.name = Some(definition::free(&usual_name(&contract.table, columns, label), &taken));
            taken.push(constraint.clone());
        }
        found.push((constraint, chosen));
    }
    found
}

fn said(constraint: &WrittenConstraint) -> String {
    format!("CONSTRAINT {} {}", identifier(constraint.name.as_deref().unwrap_or_default()), constraint.text)
}

/// Says that a table has no constraint of a name; one of another table is in the way, and told by the server.
fn no_object(table: &str, constraint: &WrittenConstraint) -> String {
    let name = literal(constraint.name.as_deref().unwrap_or_default());
    format!("NOT EXISTS (SELECT 1 FROM sys.objects WHERE parent_object_id = OBJECT_ID({table}) AND name = {name})")
}

/// Says that a table has no unique key of these columns.
fn no_unique(table: &str, columns: &str) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM sys.indexes AS i WHERE i.object_id = OBJECT_ID({table}) AND i.is_unique = 1 AND i.has_filter = 0 AND {} = {})",
        "(SELECT STRING_AGG(CONVERT(nvarchar(max), QUOTENAME(COL_NAME(c.object_id, c.column_id))), N', ') WITHIN GROUP (ORDER BY c.key_ordinal) \
         FROM sys.index_columns AS c WHERE c.object_id = i.object_id AND c.index_id = i.index_id AND c.is_included_column = 0)",
        literal(columns)
    )
}

/// Says that a table has no foreign key of these columns to that table.
fn no_foreign_key(table: &str, constraint: &WrittenConstraint) -> String {
    let to = constraint.text.split_once(" REFERENCES ").map_or("", |(_, rest)| rest);
    let to = to.split(" (").next().unwrap_or_default().split(" ON ").next().unwrap_or_default();
    format!(
        "NOT EXISTS (SELECT 1 FROM sys.foreign_keys AS k WHERE k.parent_object_id = OBJECT_ID({table}) AND k.referenced_object_id = OBJECT_ID({}) AND {} = {})",
        literal(to),
        "(SELECT STRING_AGG(CONVERT(nvarchar(max), QUOTENAME(COL_NAME(c.parent_object_id, c.parent_column_id))), N', ') WITHIN GROUP (ORDER BY c.constraint_column_id) \
         FROM sys.foreign_key_columns AS c WHERE c.constraint_object_id = k.object_id)",
        literal(&AzureSql.names(&constraint.columns))
    )
}

/// Takes a CHECK back that the table has under a name of the server's: only the server knows in which words it keeps a condition.
fn only_one(table: &str, constraint: &WrittenConstraint) -> String {
    let name = constraint.name.as_deref().unwrap_or_default();
    let drop = literal(&format!("ALTER TABLE {table} DROP CONSTRAINT {}", identifier(name)));
    format!(
        "IF EXISTS (SELECT 1 FROM sys.check_constraints AS a INNER JOIN sys.check_constraints AS b ON b.parent_object_id = a.parent_object_id \
         AND b.definition = a.definition AND b.object_id <> a.object_id WHERE a.parent_object_id = OBJECT_ID({}) AND a.name = {} AND b.is_system_named = 1)\n\
         EXEC({drop});\n",
        literal(table),
        literal(name)
    )
}
