//! JSON as Postgres prints it after it was stored as `jsonb`.
//!
//! In: JSON text. Out: the same with keys in jsonb's order (shorter first, then by bytes; the last of equal keys stays), numbers
//! as `numeric` prints them, and jsonb's spacing and escapes. Does not know about columns.

use serde_json::{Map, Value};

/// Appends the text that `jsonb` has for this one; `None` (and nothing appended) where it is not JSON.
pub fn print(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let value: Value = serde_json::from_str(text).ok()?;
    append(&value, out);
    Some(())
}

fn append(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => numeric(&number.to_string(), out),
        Value::String(text) => string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                append(item, out);
            }
            out.push(b']');
        }
        Value::Object(map) => object(map, out),
    }
}

fn object(map: &Map<String, Value>, out: &mut Vec<u8>) {
    let mut entries: Vec<(&String, &Value)> = map.iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes())));
    out.push(b'{');
    for (i, (key, item)) in entries.into_iter().enumerate() {
        if i > 0 {
            out.extend_from_slice(b", ");
        }
        string(key, out);
        out.extend_from_slice(b": ");
        append(item, out);
    }
    out.push(b'}');
}

fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Appends a JSON number as `numeric` prints it: no exponent, the zeros after the point kept.
fn numeric(text: &str, out: &mut Vec<u8>) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    // Beyond this `numeric` has no room either, and the load would have failed.
    let exponent = exponent.trim_start_matches('+').parse::<i32>().unwrap_or(0).clamp(-200_000, 200_000);
    let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    let mut point = whole.len() as i32 + exponent;
    if point <= 0 {
        digits.insert_str(0, &"0".repeat((1 - point) as usize));
        point = 1;
    }
    let point = point as usize;
    if digits.len() < point {
        digits.push_str(&"0".repeat(point - digits.len()));
    }
    let (whole, fraction) = digits.split_at(point);
    let whole = whole.trim_start_matches('0');
    if negative && digits.bytes().any(|b| b != b'0') {
        out.push(b'-');
    }
    out.extend_from_slice(if whole.is_empty() { b"0" } else { whole.as_bytes() });
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn json_is_printed_as_jsonb_prints_it() {
        for (text, printed) in [
            (r#"{"bb":1,"a":2,"a":3}"#, r#"{"a": 3, "bb": 1}"#),
            (r#"[1e5, 1.50, -0, -0.0, 1E-3, 12.5e1, 1e-7]"#, "[100000, 1.50, 0, 0.0, 0.001, 125, 0.0000001]"),
            (r#""\u00e9\ud83d\ude00\u0001\/""#, "\"é😀\\u0001/\""),
            (r#"{ }"#, "{}"),
            (r#" [ true , null , "" ] "#, r#"[true, null, ""]"#),
        ] {
            let mut out = vec![];
            super::print(text, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), printed);
        }
        assert_eq!(super::print("{", &mut vec![]), None);
    }
}
