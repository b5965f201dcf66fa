//! The engine's names of types, both ways.
//!
//! In: what DESCRIBE prints, such as `STRUCT("name" VARCHAR, rates DECIMAL(3,2)[])[]`. Out: a [`DataType`]. Does not know about SQL else.

use crate::types::DataType;

/// Reads a type as the engine prints it; what we have no word for is `Unknown`.
pub fn parse_type(text: &str) -> DataType {
    let text = text.trim();
    if let Some(element) = text.strip_suffix("[]") {
        return DataType::List(Box::new(parse_type(element)));
    }
    if let Some(fields) = text.strip_prefix("STRUCT(").and_then(|t| t.strip_suffix(')')) {
        return DataType::Struct(split(fields).into_iter().filter_map(field).collect());
    }
    match text {
        "TINYINT" | "UTINYINT" => DataType::SmallInt,
        "USMALLINT" => DataType::Integer,
        "UINTEGER" => DataType::BigInt,
        "UBIGINT" | "UHUGEINT" => DataType::HugeInt,
        "FLOAT" => DataType::Real,
        "\"NULL\"" | "NULL" => DataType::Unknown,
        "TIMESTAMP_S" | "TIMESTAMP_MS" | "TIMESTAMP_NS" => DataType::Timestamp(None),
        other => DataType::parse(other).unwrap_or(DataType::Unknown),
    }
}

/// Names a type for the engine.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Unknown | DataType::Text | DataType::Varchar(_) | DataType::Char(_) | DataType::Named(_) => "VARCHAR".into(),
        DataType::Json { .. } => "VARCHAR".into(),
        DataType::Decimal(None) => "DECIMAL(38,9)".into(),
        DataType::Real => "FLOAT".into(),
        DataType::Timestamp(_) => "TIMESTAMP".into(),
        DataType::TimestampTz(_) => "TIMESTAMPTZ".into(),
        DataType::Bytes => "BLOB".into(),
        DataType::List(element) => format!("{}[]", type_name(element)),
        DataType::Struct(fields) => {
            let list: Vec<String> =
                fields.iter().map(|(n, t)| format!("{} {}", super::session::quote(n), type_name(t))).collect();
            format!("STRUCT({})", list.join(", "))
        }
        other => other.to_string().to_uppercase(),
    }
}

/// Splits at the commas that are outside of parentheses and quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut start, mut parts) = (0_i32, false, 0, vec![]);
    for (i, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn field(text: &str) -> Option<(String, DataType)> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('"') {
        let mut end = 0;
        let bytes = rest.as_bytes();
        while end < bytes.len() && !(bytes[end] == b'"' && bytes.get(end + 1) != Some(&b'"')) {
            end += if bytes[end] == b'"' { 2 } else { 1 };
        }
        return Some((rest.get(..end)?.replace("\"\"", "\""), parse_type(rest.get(end + 1..)?)));
    }
    let (name, data_type) = text.split_once(' ')?;
    Some((name.to_string(), parse_type(data_type)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_types_are_read() {
        let read = parse_type("STRUCT(a VARCHAR, \"b \"\"c\" DECIMAL(3,2)[], d STRUCT(e BIGINT))[]");
        let DataType::List(element) = read else { panic!("{read}") };
        assert_eq!(element.to_string(), "struct(a text, b \"c decimal(3,2)[], d struct(e bigint))");
        assert_eq!(parse_type("\"NULL\""), DataType::Unknown);
    }
}
