//! Turns shapes into columns: names that the engine tells apart, and types that hold every value exactly.
//!
//! Does not know how values are read.

use std::collections::BTreeSet;

use super::shape::{Fields, Kind, Shape};
use crate::types::DataType;

const JSON: DataType = DataType::Json { binary: false };

/// Returns the columns, and the keys that they are read from.
pub(super) fn columns(fields: &Fields, pins: &[(String, DataType)]) -> (Vec<(String, DataType)>, Vec<String>) {
    let mut taken = BTreeSet::new();
    let mut columns = vec![];
    let mut keys = vec![];
    for (key, shape) in &fields.seen {
        let name = column_name(key, &mut taken);
        let pin = pins.iter().find(|(pinned, _)| **pinned == **key || *pinned == name).map(|(_, kind)| kind);
        columns.push((name, pinned(pin, shape)));
        keys.push(key.to_string());
    }
    (columns, keys)
}

/// Makes a column's name of a key: one that is not empty, not reserved, and free.
pub fn column_name(key: &str, taken: &mut BTreeSet<String>) -> String {
    let mut name = key.replace('\0', "_");
    if name.starts_with('#') {
        // Names with `#` are columns of the books.
        name.replace_range(..1, "_");
    }
    if name.is_empty() {
        name.push_str("unnamed");
    }
    let mut free = name.clone();
    let mut number = 0;
    while !taken.insert(free.to_lowercase()) {
        number += 1;
        free = format!("{name}_{number}");
    }
    free
}

fn pinned(pin: Option<&DataType>, shape: &Shape) -> DataType {
    match pin {
        Some(DataType::Json { .. }) => JSON,
        None | Some(DataType::Unknown | DataType::List(_) | DataType::Struct(_)) => data_type(shape),
        Some(_) => DataType::Text,
    }
}

fn data_type(shape: &Shape) -> DataType {
    match shape.kind() {
        Ok(None) => DataType::Unknown,
        Ok(Some(Kind::Boolean)) => DataType::Boolean,
        Ok(Some(Kind::Number)) => shape.numbers.data_type(),
        Ok(Some(Kind::Text)) | Err(()) => DataType::Text,
        Ok(Some(_)) if shape.written => JSON,
        Ok(Some(Kind::List)) => DataType::List(Box::new(shape.element.as_deref().map_or(DataType::Unknown, data_type))),
        Ok(Some(Kind::Object)) => shape.fields.as_deref().map_or(JSON, structure),
    }
}

fn structure(fields: &Fields) -> DataType {
    let mut names = BTreeSet::new();
    let told_apart = fields.seen.keys().all(|key| !key.is_empty() && !key.contains('\0') && names.insert(key.to_lowercase()));
    if fields.wide || fields.seen.is_empty() || !told_apart {
        return JSON;
    }
    DataType::Struct(fields.seen.iter().map(|(key, shape)| (key.to_string(), data_type(shape))).collect())
}
