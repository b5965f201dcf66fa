//! From a draft to the contract: constraints get the names that the target knows them by, and become checks.
//!
//! In: a [`Draft`] and the contract that it adds to. Out: the contract with it. Order matters: Postgres names checks first, then
//! keys, then foreign keys. Does not know about statements.

use std::sync::Arc;

use super::ddl::Flavor;
use super::ddl_check::judge;
use super::ddl_cursor::Cursor;
use super::ddl_expr::{Scope, lower};
use super::ddl_names::{Names, join_columns};
use super::ddl_table::{Draft, Key, Pending};
use super::ddl_type::{NamedType, Types};
use super::{Column, ConstraintKind, Contract, known_column};
use crate::check::one_of::OneOf;
use crate::check::range::{Bound, Range};
use crate::check::references::References;
use crate::check::unique::Unique;
use crate::check::{Check, Declared, Tolerance, UniqueKey, condition};
use crate::diagnostics::{Diagnostics, Severity, Span};
use crate::expr::{Expr, Literal};
use crate::types::DataType;

/// Everything that settling needs to know besides the table.
pub(super) struct Context<'a> {
    pub(super) flavor: Flavor,
    pub(super) types: &'a Types,
    pub(super) names: &'a mut Names,
}

/// Writes names as Postgres reads them.
fn quoted(names: &[String]) -> String {
    names.iter().map(|n| format!("\"{}\"", n.replace('"', "\"\""))).collect::<Vec<_>>().join(", ")
}

/// Adds a draft to a contract.
pub(super) fn settle(contract: &mut Contract, draft: Draft<'_>, context: &mut Context<'_>, out: &mut Diagnostics) {
    let first_new = contract.columns.len();
    for column in draft.columns {
        if let Some(other) = contract.column(&column.name) {
            out.error("E0506", column.span, format!("table `{}` has column `{}` twice", contract.table, column.name))
                .label(other.span, "first here");
            continue;
        }
        if column.generated == super::Generated::ByDefault && column.default.is_none() && context.flavor == Flavor::Postgres {
            context.names.choose_relation(schema_of(contract), (&contract.table, &column.name, "seq"), false);
        }
        contract.columns.push(column);
    }
    let new: Vec<Column> = contract.columns.get(first_new..).unwrap_or(&[]).to_vec();
    for column in new {
        type_checks(contract, &column, context);
    }
    for column in draft.one_byte {
        let bound = |n: &str| Some(Bound { value: Literal::Number(n.into()), inclusive: true });
        let check = Range::new(column.value, bound("0"), bound("255"), column.span);
        contract.checks.push(declared(Arc::new(check), None, column.span));
    }
    for pending in draft.checks {
        check(contract, pending, context);
    }
    keys(contract, draft.keys, context, out);
    contract.written.columns.extend(draft.definitions);
    for (name, text) in draft.others {
        contract.written.constrain(name, ConstraintKind::Other, text);
    }
    for (mut key, span, tail) in draft.foreign_keys {
        key.columns = key.columns.into_iter().map(|c| canonical(contract, c, context.flavor)).collect();
        key.columns.retain(|c| known_column(contract, c, span, out));
        if key.columns.is_empty() {
            continue;
        }
        let parts = join_columns(&key.columns);
        key.name =
            named(key.name, context, |names| names.choose_constraint(schema_of(contract), (&contract.table, &parts, "fkey")));
        if let Some(name) = &key.name {
            context.names.take_constraint(schema_of(contract), name, false);
        }
        let text = format!("FOREIGN KEY ({}) {tail}", quoted(&key.columns));
        contract.written.constrain(key.name.clone(), ConstraintKind::Foreign, text);
        let check = References::new(key.columns.clone(), foreign_table(contract, &key), key.references.clone());
        contract.checks.push(declared(Arc::new(check), key.name.clone(), span));
        contract.foreign_keys.push(key);
    }
    contract.indexes.extend(draft.indexes);
    contract.unjudged.extend(draft.unjudged);
}

/// Makes a check that the target enforces.
pub(super) fn declared(check: Arc<dyn Check>, name: Option<String>, span: Span) -> Declared {
    Declared { check, name, severity: Severity::Error, tolerance: Tolerance::Rows(0), why: None, span, enforced: true }
}

/// Returns the schema whose names a table shares; one that is not written is the default one.
pub(super) fn schema_of(contract: &Contract) -> &str {
    contract.schema.as_deref().unwrap_or("public")
}

/// Writes the table that a foreign key refers to, with its schema only where that differs from the table's own.
pub(super) fn foreign_table(contract: &Contract, key: &super::ForeignKey) -> String {
    match &key.schema {
        Some(schema) if Some(schema) != contract.schema.as_ref() && !["public", "dbo"].contains(&schema.as_str()) => {
            format!("{schema}.{}", key.table)
        }
        _ => key.table.clone(),
    }
}

/// Keeps a written name, or asks for Postgres's own; T-SQL makes random ones.
fn named(written: Option<String>, context: &mut Context<'_>, choose: impl FnOnce(&mut Names) -> String) -> Option<String> {
    match (written, context.flavor) {
        (Some(name), _) => Some(name),
        (None, Flavor::Postgres) => Some(choose(context.names)),
        (None, Flavor::Tsql) => None,
    }
}

/// Adds what a column's enum or domain demands.
fn type_checks(contract: &mut Contract, column: &Column, context: &Context<'_>) {
    let Some(name) = &column.type_name else { return };
    if let DataType::List(_) = column.data_type {
        contract.unjudged.push((format!("each element of {} is a {}", column.name, name.trim_end_matches("[]")), column.span));
        return;
    }
    match context.types.get(name) {
        Some(NamedType::Enum(values)) => {
            let values = values.iter().map(|v| Literal::Text(v.clone())).collect();
            let check = OneOf::new(&column.name, values, column.span);
            contract.checks.push(declared(Arc::new(check), Some(name.clone()), column.span));
        }
        Some(NamedType::Domain(domain)) => {
            if let Some(found) = contract.columns.iter_mut().find(|c| c.name == column.name) {
                found.not_null |= domain.not_null;
                found.default = found.default.take().or_else(|| domain.default.clone());
            }
            for rule in &domain.checks {
                let columns = std::slice::from_ref(column);
                let scope = Scope { flavor: context.flavor, columns, value: Some(&column.name), span: rule.span };
                let (checks, complete) = match &rule.holds {
                    Some(holds) => judge(holds, &rule.text, &scope),
                    None => (vec![], false),
                };
                contract.checks.extend(checks.into_iter().map(|c| declared(c, Some(rule.name.clone()), rule.span)));
                if !complete {
                    contract.unjudged.push((format!("CHECK ({}) of {name}", rule.text), rule.span));
                }
            }
            // A domain over another type demands what that demands.
            if let Some(below) = domain.base.type_name.clone().filter(|below| below != name) {
                let column = Column { type_name: Some(below), ..column.clone() };
                type_checks(contract, &column, context);
            }
        }
        None => {}
    }
}

fn check(contract: &mut Contract, pending: Pending<'_>, context: &mut Context<'_>) {
    let span = pending.holds.span();
    let holds = pending.holds.expression();
    // Postgres puts a column into the name where the condition speaks of one only.
    let about = mentioned(&pending.holds, contract);
    let column = if let [one] = about.as_slice() { one.as_str() } else { "" };
    let name =
        named(pending.name, context, |names| names.choose_constraint(schema_of(contract), (&contract.table, column, "check")));
    if let Some(name) = &name {
        context.names.take_constraint(schema_of(contract), name, false);
    }
    let text = pending.holds.source();
    contract.written.constrain(name.clone(), ConstraintKind::Other, format!("CHECK ({text}) {}", pending.tail).trim_end().to_string());
    let scope = Scope { flavor: context.flavor, columns: &contract.columns, value: None, span };
    let (checks, complete) = match &holds {
        Some(holds) => judge(holds, text, &scope),
        None => (vec![], false),
    };
    let enforced = pending.enforced;
    contract.checks.extend(checks.into_iter().map(|c| Declared { enforced, ..declared(c, name.clone(), span) }));
    if !complete {
        let shown = name.map(|n| format!("CONSTRAINT {n} ")).unwrap_or_default();
        contract.unjudged.push((format!("{shown}CHECK ({text})"), span));
    }
}

/// Returns the columns that a condition's words name, each once; this also works where the condition cannot be parsed.
fn mentioned(holds: &Cursor<'_>, contract: &Contract) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    let mut rest = *holds;
    while !rest.is_empty() {
        let mut ahead = rest;
        if let Ok(name) = ahead.identifier() {
            // A word before a parenthesis is a function's.
            if !ahead.at_group() && !found.contains(&name.value) && contract.column(&name.value).is_some() {
                found.push(name.value);
            }
        }
        rest.skip();
    }
    found
}

fn keys(contract: &mut Contract, mut keys: Vec<Key>, context: &mut Context<'_>, out: &mut Diagnostics) {
    keys.sort_by_key(|key| !key.primary);
    let mut seen: Vec<(Vec<String>, bool)> = vec![];
    for mut key in keys {
        for column in &mut key.columns {
            column.value = canonical(contract, std::mem::take(&mut column.value), context.flavor);
        }
        key.columns.retain(|c| known_column(contract, &c.value, c.span, out));
        let columns: Vec<String> = key.columns.iter().map(|c| c.value.clone()).collect();
        if columns.is_empty() {
            continue;
        }
        // Postgres makes one index of two equal keys in one statement.
        let shape = (columns.clone(), key.nulls_equal);
        if seen.contains(&shape) && context.flavor == Flavor::Postgres {
            continue;
        }
        seen.push(shape);
        let (parts, label) = if key.primary { (String::new(), "pkey") } else { (join_columns(&columns), "key") };
        let name =
            named(key.name, context, |names| names.choose_relation(schema_of(contract), (&contract.table, &parts, label), true));
        if let Some(name) = &name {
            context.names.take_constraint(schema_of(contract), name, true);
        }
        if key.primary {
            if !contract.primary_key.is_empty() {
                out.error("E0507", key.span, format!("table `{}` has two primary keys", contract.table))
                    .help("Make one of them UNIQUE.");
                continue;
            }
            for column in contract.columns.iter_mut().filter(|c| columns.contains(&c.name)) {
                column.not_null = true;
            }
            contract.primary_key = columns.clone();
        }
        let nulls = if key.nulls_equal && !key.primary { "NULLS NOT DISTINCT " } else { "" };
        let text = match key.primary {
            true => format!("PRIMARY KEY ({}) {}", quoted(&columns), key.tail),
            false => format!("UNIQUE {nulls}({}) {}", quoted(&columns), key.tail),
        };
        let kind = if key.primary { ConstraintKind::PrimaryKey } else { ConstraintKind::Other };
        contract.written.constrain(name.clone(), kind, text.trim_end().to_string());
        let parts = columns.into_iter().map(|c| Expr::column(c, key.span)).collect();
        let check = Unique::of(UniqueKey { parts, nulls_equal: key.nulls_equal && !key.primary, only_where: None });
        contract.checks.push(declared(Arc::new(check), name, key.span));
    }
}

/// Returns a column's name as the table writes it; T-SQL finds columns whatever their case.
pub(super) fn canonical(contract: &Contract, name: String, flavor: Flavor) -> String {
    match flavor {
        Flavor::Postgres => name,
        Flavor::Tsql => match contract.columns.iter().find(|c| c.name.eq_ignore_ascii_case(&name)) {
            Some(column) => column.name.clone(),
            None => name,
        },
    }
}

/// An index as written.
pub(super) struct WrittenIndex<'a> {
    pub(super) name: Option<String>,
    pub(super) unique: bool,
    pub(super) parts: Vec<Cursor<'a>>,
    pub(super) nulls_equal: bool,
    pub(super) only_where: Option<Cursor<'a>>,
    pub(super) span: Span,
    pub(super) text: &'a str,
    /// What follows the name.
    pub(super) tail: &'a str,
}

/// Adds an index to a contract: a unique one is a check, the others are kept by name.
pub(super) fn index(contract: &mut Contract, index: WrittenIndex<'_>, context: &mut Context<'_>) {
    let scope = Scope { flavor: context.flavor, columns: &contract.columns, value: None, span: index.span };
    let lowered: Vec<Option<Expr>> = index.parts.iter().map(|p| p.expression().and_then(|e| lower(&e, &scope))).collect();
    let titles: Vec<String> = index.parts.iter().map(part_title).collect();
    let name = named(index.name, context, |names| {
        names.choose_relation(schema_of(contract), (&contract.table, &join_columns(&distinct(titles)), "idx"), false)
    });
    if let Some(name) = &name {
        context.names.take_relation(schema_of(contract), name);
    }
    if let Some(name) = &name {
        contract.written.indexes.push((name.clone(), index.unique, index.tail.to_string()));
    }
    let mut columns = vec![];
    lowered.iter().flatten().for_each(|part| condition::collect_columns(part, &mut columns));
    if !index.unique {
        contract.indexes.push(super::Index { name, columns });
        return;
    }
    let only_where = index.only_where.map(|w| w.expression().and_then(|e| lower(&e, &scope)));
    let readable = only_where.as_ref().is_none_or(Option::is_some);
    match lowered.into_iter().collect::<Option<Vec<Expr>>>() {
        Some(parts) if readable && !parts.is_empty() => {
            let only_where = only_where.flatten();
            let check = Unique::of(UniqueKey { parts, nulls_equal: index.nulls_equal, only_where });
            contract.checks.push(declared(Arc::new(check), name, index.span));
        }
        _ => contract.unjudged.push((index.text.to_string(), index.span)),
    }
}

/// Returns what Postgres calls a part of an index in its name: the column, the function, or `expr`.
fn part_title(part: &Cursor<'_>) -> String {
    let mut rest = *part;
    match rest.identifier() {
        Ok(name) if rest.is_empty() || rest.at_group() => name.value,
        _ => "expr".to_string(),
    }
}

/// Numbers repeated titles: `expr`, `expr1`.
fn distinct(titles: Vec<String>) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    for title in titles {
        let mut name = title.clone();
        let mut n = 0;
        while found.contains(&name) {
            n += 1;
            name = format!("{title}{n}");
        }
        found.push(name);
    }
    found
}
