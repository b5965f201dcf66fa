//! `pipe schema ddl`: the statements that make what a contract describes, for PostgreSQL.
//!
//! In: contracts. Out: one script in one transaction, which makes what is missing and leaves what is there: run twice, it does nothing the
//! second time. Types come first, foreign keys last, so that the order of the tables does not matter.
//! Does not know what the database has.

use super::text::{self, identifier, literal};
use crate::contract::{Column, ConstraintKind, Contract, ForeignKey, Generated, usual_name};
use crate::emit::definition::{self, Define, Definitions, Extras};
use crate::emit::load::one_line;
use crate::expr::Expr;
use crate::sql::postgres::Postgres as Words;
use crate::sql::{self, Dialect, Unsupported};

/// The privileges that a table has.
const PRIVILEGES: &[&str] = &["select", "insert", "update", "delete", "truncate", "references", "trigger"];

impl Define for super::Postgres {
    fn definitions(&self, contracts: &[&Contract], schema: &str, extras: Extras) -> Definitions {
        Definitions { script: ddl(contracts, schema, extras), refused: vec![] }
    }

    fn names(&self, columns: &[String]) -> String {
        list(columns)
    }

    fn unique(&self, nulls_equal: bool) -> &'static str {
        if nulls_equal { "UNIQUE NULLS NOT DISTINCT" } else { "UNIQUE" }
    }

    fn condition(&self, _contract: &Contract, holds: &Expr) -> Result<String, Unsupported> {
        sql::expression(&Words, holds)
    }

    fn foreign_key(&self, key: &ForeignKey, contract: &Contract, schema: &str) -> String {
        foreign_key(key, contract, schema)
    }
}

/// Writes the script; `schema` is where tables go that name none.
fn ddl(contracts: &[&Contract], schema: &str, extras: Extras) -> String {
    let mut script = Script { text: String::new(), schema };
    script.text.push_str("-- Makes what is missing and leaves what is there.\nBEGIN;\n");
    script.text.push_str(&format!(
        "SET LOCAL client_min_messages = warning;\nSET LOCAL search_path TO {}, public;\n",
        identifier(schema)
    ));
    let mut schemas: Vec<&str> = contracts.iter().map(|c| c.schema.as_deref().unwrap_or(schema)).collect();
    schemas.sort_unstable();
    schemas.dedup();
    for name in schemas {
        let missing = format!("to_regnamespace({}) IS NULL", literal(&identifier(name)));
        script.unless(&missing, &format!("CREATE SCHEMA {}", identifier(name)));
    }
    let mut made: Vec<&(String, String)> = vec![];
    for known in contracts.iter().flat_map(|c| &c.written.types) {
        if !made.contains(&known) {
            script.unless(&format!("to_regtype({}) IS NULL", literal(&known.0)), known.1.trim_end_matches(';'));
            made.push(known);
        }
    }
    contracts.iter().for_each(|c| script.table(c));
    contracts.iter().for_each(|c| script.constraints(c, ConstraintKind::PrimaryKey));
    contracts.iter().for_each(|c| script.constraints(c, ConstraintKind::Other));
    contracts.iter().for_each(|c| script.indexes(c));
    contracts.iter().for_each(|c| script.constraints(c, ConstraintKind::Foreign));
    if extras.updated_at {
        script.triggers(contracts);
    }
    if extras.grants {
        contracts.iter().for_each(|c| script.grants(c));
    }
    script.text.push_str("COMMIT;\n");
    script.text
}

struct Script<'a> {
    text: String,
    schema: &'a str,
}

impl Script<'_> {
    fn name(&self, contract: &Contract) -> String {
        format!("{}.{}", identifier(contract.schema.as_deref().unwrap_or(self.schema)), identifier(&contract.table))
    }

    /// Runs a statement where a condition holds, which the server judges when it gets there.
    fn unless(&mut self, missing: &str, statement: &str) {
        let body = format!("BEGIN\n    IF {missing} THEN\n        {statement};\n    END IF;\nEND");
        self.text.push_str(&text::block(&body));
    }

    fn table(&mut self, contract: &Contract) {
        let name = self.name(contract);
        let columns: Vec<String> =
            contract.columns.iter().map(|c| format!("{} {}", identifier(&c.name), definition(contract, c))).collect();
        self.text.push_str(&format!("CREATE TABLE IF NOT EXISTS {name} (\n    {}\n);\n", columns.join(",\n    ")));
        for column in &columns {
            self.text.push_str(&format!("ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {column};\n"));
        }
    }

    fn constraints(&mut self, contract: &Contract, kind: ConstraintKind) {
        let table = self.name(contract);
        let mut not_made = vec![];
        let all = definition::constraints(&super::Postgres, contract, self.schema, &mut not_made);
        for constraint in all.into_iter().filter(|c| c.kind == kind) {
            let found = match (kind, &constraint.name) {
                (ConstraintKind::PrimaryKey, _) => "contype = 'p'".to_string(),
                (_, Some(name)) => format!("conname = {}", literal(name)),
                (_, None) => format!("pg_get_constraintdef(oid) = {}", literal(&constraint.text)),
            };
            let missing =
                format!("NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = to_regclass({}) AND {found})", literal(&table));
            let name = constraint.name.as_ref().map(|n| format!("CONSTRAINT {} ", identifier(n))).unwrap_or_default();
            self.unless(&missing, &format!("ALTER TABLE {table} ADD {name}{}", constraint.text));
        }
        for rule in not_made.iter().filter(|_| kind == ConstraintKind::Other) {
            let rule = one_line(rule);
            self.text.push_str(&format!("-- not made, since PostgreSQL cannot say it: {rule}\n"));
        }
    }

    fn indexes(&mut self, contract: &Contract) {
        for index in &contract.written.indexes {
            let words = if index.words.is_empty() { String::new() } else { format!("{} ", index.words) };
            let name = index.name.as_deref().map(|n| format!(" IF NOT EXISTS {}", identifier(n))).unwrap_or_default();
            self.text.push_str(&format!("CREATE {words}INDEX{name} {};\n", index.tail.trim_end_matches(';')));
        }
        if contract.written.indexes.is_empty() {
            for index in contract.indexes.iter().filter(|i| !i.columns.is_empty()) {
                let name = index.name.clone().unwrap_or_else(|| usual_name(&contract.table, &index.columns, "idx"));
                let table = self.name(contract);
                self.text.push_str(&format!(
                    "CREATE INDEX IF NOT EXISTS {} ON {table} ({});\n",
                    identifier(&name),
                    list(&index.columns)
                ));
            }
        }
    }

    fn triggers(&mut self, contracts: &[&Contract]) {
        let with: Vec<&&Contract> = contracts.iter().filter(|c| c.column("updated_at").is_some()).collect();
        if with.is_empty() {
            return;
        }
        let function = format!("{}.set_updated_at", identifier(self.schema));
        self.text.push_str(&format!(
            "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $pipe$ BEGIN NEW.updated_at := now(); RETURN NEW; END $pipe$;\n"
        ));
        for contract in with {
            let (table, trigger) = (self.name(contract), identifier(&usual_name(&contract.table, &[], "updated_at")));
            self.text.push_str(&format!(
                "DROP TRIGGER IF EXISTS {trigger} ON {table};\nCREATE TRIGGER {trigger} BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}();\n"
            ));
        }
    }

    fn grants(&mut self, contract: &Contract) {
        let table = self.name(contract);
        for (privilege, roles) in &contract.grants {
            if PRIVILEGES.contains(&privilege.to_lowercase().as_str()) && !roles.is_empty() {
                self.text.push_str(&format!("GRANT {} ON {table} TO {};\n", privilege.to_uppercase(), list(roles)));
            }
        }
    }
}

/// Writes what follows a column's name: as the schema file has it, or from what the contract says.
fn definition(contract: &Contract, column: &Column) -> String {
    if let Some(written) = contract.written.columns.get(&column.name) {
        return written.clone();
    }
    let counted = column.default.as_ref().is_some_and(|d| d.starts_with("nextval("));
    let data_type = column
        .type_name
        .clone()
        .unwrap_or_else(|| Words.type_name(&column.data_type, column.span).unwrap_or_else(|_| column.data_type.to_string()));
    let not_null = if column.not_null { " NOT NULL" } else { "" };
    match (column.generated, counted) {
        (Generated::ByDefault, true) => {
            let serial = match data_type.as_str() {
                "smallint" => "smallserial",
                "bigint" => "bigserial",
                _ => "serial",
            };
            serial.to_string()
        }
        (Generated::ByDefault, false) => format!("{data_type} GENERATED BY DEFAULT AS IDENTITY"),
        (Generated::Always, _) => format!("{data_type} GENERATED ALWAYS AS IDENTITY"),
        (Generated::No | Generated::Computed, _) => {
            let default = column.default.as_ref().map(|d| format!(" DEFAULT {d}")).unwrap_or_default();
            let collation = column.collation.as_ref().map(|c| format!(" COLLATE {}", identifier(c))).unwrap_or_default();
            format!("{data_type}{collation}{default}{not_null}")
        }
    }
}

fn foreign_key(key: &ForeignKey, contract: &Contract, schema: &str) -> String {
    let schema = key.schema.as_deref().or(contract.schema.as_deref()).unwrap_or(schema);
    let delete = key.on_delete.as_ref().map(|d| format!(" ON DELETE {}", d.to_uppercase())).unwrap_or_default();
    let deferrable = if key.deferrable { " DEFERRABLE" } else { "" };
    let references = if key.references.is_empty() { String::new() } else { format!(" ({})", list(&key.references)) };
    let (columns, table) = (list(&key.columns), identifier(&key.table));
    format!("FOREIGN KEY ({columns}) REFERENCES {}.{table}{references}{delete}{deferrable}", identifier(schema))
}

fn list(names: &[String]) -> String {
    text::names("", names.iter().map(String::as_str))
}
