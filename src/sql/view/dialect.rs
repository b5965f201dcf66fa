//! What targets say in their own way where a view, or an upsert, gives the engine's values.
//!
//! In: written parts and their types. Out: SQL of the target, or [`Unsupported`]. What a method gives unless a target says otherwise is what
//! the standard says. Does not know about relations or how expressions nest.

use crate::diagnostics::Span;
use crate::expr::{BinaryOp, Expr};
use crate::sql::{Printed, Unsupported};
use crate::types::DataType;

/// The words of one target.
pub trait Dialect: Sync + Send {
    /// The word in `dialect:`.
    fn name(&self) -> &'static str;

    // Names and constants.

    /// What makes a name one that the target cuts or the tools that run scripts act upon; nothing if it may stand.
    fn unfit(&self, name: &str) -> Option<String>;

    /// Writes a name that may stand.
    fn quoted(&self, name: &str) -> String;

    /// The schema of a table whose author names none.
    fn schema(&self) -> Option<&'static str> {
        None
    }

    /// Writes a text without U+0000.
    fn text(&self, text: &str) -> String;

    fn boolean(&self, value: bool) -> String;

    /// Writes a text so that it is compared by its characters, whatever collation the database has.
    fn collate(&self, sql: &str) -> String;

    /// The name of a type that values of a view may have.
    fn type_name(&self, data_type: &DataType, span: Span) -> Result<String, Unsupported>;

    /// The type that a column of the target is read in.
    fn read_as(&self, data_type: &DataType, span: Span) -> Result<String, Unsupported> {
        self.type_name(data_type, span)
    }

    // Expressions.

    /// Makes a condition of a boolean value.
    fn as_condition(&self, value: Printed) -> Printed {
        value
    }

    /// Makes a boolean value of a condition.
    fn as_value(&self, condition: Printed) -> Printed {
        condition
    }

    /// Compares two values; `texts` if that is what they are.
    fn compare(&self, left: &Printed, op: BinaryOp, right: &Printed, texts: bool) -> Printed;

    /// Whether values of a type that has an order have the engine's.
    fn orders(&self, _kind: &DataType) -> bool {
        true
    }

    /// A sort key with NULL where the engine has it.
    fn sort_key(&self, sql: &str, descending: bool, nulls_first: bool) -> String;

    /// Keeps the digits of a sum or product of numbers with these types.
    fn kept(
        &self,
        sum: Printed,
        _kind: &DataType,
        _a: &DataType,
        _op: BinaryOp,
        _b: &DataType,
        _span: Span,
    ) -> Result<Printed, Unsupported> {
        Ok(sum)
    }

    /// Divides whole numbers beyond 64 bits without a remainder.
    fn divide_huge(&self, left: &str, right: &str) -> Option<String>;

    fn concatenate(&self, left: &Printed, right: &Printed) -> Printed;

    /// A pattern of LIKE in which nothing is escaped, and the clause that says so.
    fn pattern(&self, pattern: &str) -> (String, &'static str);

    /// Casts a boolean to a whole number.
    fn number_of(&self, boolean: &str, wanted: &str) -> String;

    /// Writes a value as the text that the engine would make of it; nothing for types that have other texts here.
    fn text_of(&self, value: &Printed, from: &DataType) -> Option<String>;

    // Functions.

    /// The functions that have no like here.
    fn lacks(&self) -> &'static [&'static str] {
        &[]
    }

    /// Writes a call of a function that is not lacking, with arguments for which it can give the engine's value.
    fn call(&self, function: &str, arguments: &[String]) -> String;

    /// How a text is said to hold another; nothing for such as cannot be looked for.
    fn contains(&self, text: &Sought, part: &Sought) -> Option<Search>;

    /// How a text is said to begin with another; nothing for such as cannot be looked for.
    fn starts_with(&self, text: &Sought, part: &Sought) -> Option<Search>;

    /// Lets a text that is joined of parts grow as long as it may; `nothing` may stand beside a single part.
    fn long(&self, parts: Vec<String>, _nothing: &str) -> Vec<String> {
        parts
    }

    /// A part of a date or time, as a whole number.
    fn part_of(&self, part: &str, time: &str) -> String;

    // Aggregates.

    /// The aggregate that counts.
    fn count(&self) -> &'static str;

    /// The aggregate that adds whole numbers, and the type in which it does.
    fn sum(&self) -> (&'static str, &'static str);

    /// Whether an aggregate may have FILTER.
    fn filters(&self) -> bool {
        true
    }

    /// Writes `bool_and` or `bool_or`.
    fn all_or_any(&self, name: &str, argument: &str, plain: String) -> String;

    /// Writes `string_agg` in the order of what is joined.
    fn string_agg(&self, joined: &Joined) -> String;

    // Structure.

    fn create_view(&self) -> &'static str;

    /// The join with rows that are made of each row.
    fn apply(&self) -> &'static str;

    /// Writes the join of a row with the elements of its list, as columns of `e`, also where there are none; nothing where there are no lists.
    fn unnest(&self) -> Option<fn(list: &str, columns: &str, keep_empty: bool) -> String> {
        None
    }

    /// A second key for texts that are grouped together with others than the engine does.
    fn told_apart(&self, _sql: &str, _kind: &DataType) -> Option<String> {
        None
    }

    /// Whether rows may be grouped by what is computed.
    fn groups_by_expressions(&self) -> bool {
        true
    }

    /// Whether a full join may have any condition.
    fn joins_fully_on_any(&self) -> bool {
        true
    }

    // Upserts, over the row that is there (`t.`) and the one that comes (`s.`), which have these columns.

    /// Writes the value that a column of the target is to have.
    fn upsert_value(&self, columns: &[(String, DataType)], column: &str, value: &Expr) -> Result<String, Unsupported>;

    /// Writes a condition that AND may follow.
    fn upsert_condition(&self, columns: &[(String, DataType)], condition: &Expr) -> Result<String, Unsupported>;
}

/// Writes a search in a text for a part of it.
pub type Search = fn(text: &str, part: &str) -> String;

/// A text that is looked for, or looked into.
pub struct Sought<'a> {
    pub literal: Option<&'a str>,
    /// Whether it reads a column, and so has its collation.
    pub reads: bool,
}

/// What `string_agg` joins.
pub struct Joined<'a> {
    pub distinct: &'a str,
    pub text: &'a str,
    pub separator: &'a str,
    pub order: &'a str,
    pub descending: bool,
    pub filter: &'a str,
}

impl dyn Dialect {
    /// Writes a name so that it means exactly itself.
    pub(super) fn quote(&self, name: &str, span: Span) -> Result<String, Unsupported> {
        match self.unfit(name) {
            Some(what) => Err(Unsupported::new(what, span)),
            None if name.chars().any(char::is_control) => Err(Unsupported::new(unwritable(name), span)),
            None => Ok(self.quoted(name)),
        }
    }

    /// Writes a table's name with its schema.
    pub(super) fn relation(&self, schema: Option<&str>, name: &str, span: Span) -> Result<String, Unsupported> {
        let name = self.quote(name, span)?;
        Ok(match schema.or(self.schema()) {
            Some(schema) => format!("{}.{name}", self.quote(schema, span)?),
            None => name,
        })
    }

    /// Writes a text literal.
    pub(super) fn literal(&self, text: &str, span: Span) -> Result<String, Unsupported> {
        if text.contains('\0') {
            return Err(Unsupported::new("a text with the character U+0000", span));
        }
        Ok(self.text(text))
    }
}

/// Names what a name is that may not stand.
pub(super) fn unwritable(name: &str) -> String {
    format!("the name `{}`", name.escape_debug())
}

/// Refuses a type that values of a view may not have.
pub(super) fn no_type(data_type: &DataType, span: Span) -> Unsupported {
    Unsupported::new(format!("the type {data_type}"), span)
}

/// Calls a function by its own name.
pub(super) fn named(function: &str, arguments: &[String]) -> String {
    format!("{function}({})", arguments.join(", "))
}
