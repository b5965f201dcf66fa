//! Random documents, whole and damaged, read by this reader and by another one.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Decimal128Type, Int64Type};
use serde_json::{Map, Value};

use super::{all, columns, document, load};
use crate::source::json::{Layout, inspect};
use crate::types::DataType;

/// Random numbers that are the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn number(&mut self) -> String {
        let digits = |r: &mut Random, n: usize| (0..1 + r.below(n)).map(|_| r.pick(&["0", "1", "5", "9"])).collect::<String>();
        let whole = format!("{}{}", self.pick(&["1", "7", "9"]), digits(self, 20));
        let whole = if self.below(3) == 0 { "0" } else { whole.as_str() };
        let fraction = if self.below(2) == 0 { format!(".{}", digits(self, 8)) } else { String::new() };
        let exponent =
            if self.below(4) == 0 { format!("{}{}", self.pick(&["e", "E-", "e+"]), self.below(15)) } else { String::new() };
        format!("{}{whole}{fraction}{exponent}", self.pick(&["", "-"]))
    }

    fn string(&mut self) -> String {
        let parts =
            ["a", "ß", "日本", "😀", "\\n", "\\\"", "\\\\", "\\/", "\\u00e9", "\\ud83d\\ude00", "\\u0000", "{", "]", ",", " "];
        (0..self.below(12)).map(|_| self.pick(&parts)).collect()
    }

    fn space(&mut self) -> &'static str {
        self.pick(&["", "", "", " ", "  ", "\t"])
    }

    /// Writes a value; most have the kind that belongs to their depth, so that not everything is mixed.
    fn value(&mut self, depth: usize, key: usize) -> String {
        let kind = if self.below(60) == 0 { self.below(7) } else { key % 7 };
        match kind {
            _ if self.below(8) == 0 => "null".to_string(),
            0 => self.pick(&["true", "false"]).to_string(),
            1 => self.below(1000).to_string(),
            2 => self.number(),
            3 | 4 => format!("\"{}\"", self.string()),
            5 if depth < 4 => {
                let elements: Vec<_> = (0..self.below(4)).map(|_| self.value(depth + 1, key / 7)).collect();
                format!("[{}{}]", self.space(), elements.join(self.pick(&[",", " , "])))
            }
            _ if depth < 4 => self.object(depth + 1, key / 7),
            _ => "1".to_string(),
        }
    }

    fn object(&mut self, depth: usize, salt: usize) -> String {
        let keys = ["a", "b", "ä\\n", "c.d", "e\\u0066", "long key", "g", "A"];
        let mut fields = vec![];
        for (i, key) in keys.iter().enumerate() {
            let repeated = usize::from(self.below(30) == 0);
            // The last key differs from the first only by case, so it is rare.
            let shown = if i == 7 { self.below(200) == 0 } else { self.below(3) > 0 };
            for _ in 0..repeated + usize::from(shown) * usize::from(i < 7 || depth > 0) {
                let value = self.value(depth, salt + i * 5 + depth * 3);
                fields.push(format!("{}\"{key}\"{}:{}{value}{}", self.space(), self.space(), self.space(), self.space()));
            }
        }
        format!("{{{}{}}}", fields.join(","), self.space())
    }
}

/// Brings a number to sign, digits without zeros around them, and exponent.
fn canonical(number: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
    let exponent = exponent.parse::<i64>().unwrap() - fraction.len() as i64;
    let short = digits.trim_end_matches('0');
    let kept = short.trim_start_matches('0').to_string();
    if kept.is_empty() {
        return (false, kept, 0);
    }
    (number.starts_with('-'), kept, exponent + (digits.len() - short.len()) as i64)
}

fn compare(array: &dyn Array, row: usize, kind: &DataType, expected: &Value) {
    assert_eq!(array.is_null(row), expected.is_null(), "{expected}");
    if expected.is_null() {
        return;
    }
    match kind {
        DataType::Boolean => assert_eq!(Some(array.as_boolean().value(row)), expected.as_bool()),
        DataType::BigInt => assert_eq!(Some(array.as_primitive::<Int64Type>().value(row)), expected.as_i64()),
        DataType::Decimal(Some((_, scale))) => {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            assert_eq!(canonical(&format!("{value}e-{scale}")), canonical(&expected.to_string()));
        }
        DataType::List(element) => {
            let elements = array.as_list::<i32>().value(row);
            let expected = expected.as_array().unwrap();
            assert_eq!(elements.len(), expected.len());
            expected.iter().enumerate().for_each(|(i, value)| compare(&elements, i, element, value));
        }
        DataType::Struct(fields) => {
            let expected = expected.as_object().unwrap();
            assert!(expected.keys().all(|key| fields.iter().any(|(name, _)| name == key)));
            for (name, kind) in fields {
                let field = array.as_struct().column_by_name(name).unwrap();
                compare(field, row, kind, expected.get(name).unwrap_or(&Value::Null));
            }
        }
        kind => {
            let text = array.as_string::<i32>().value(row);
            match expected {
                Value::String(expected) if *kind == DataType::Text => assert_eq!(text, expected),
                expected => assert_eq!(&serde_json::from_str::<Value>(text).unwrap(), expected),
            }
        }
    }
}

#[test]
fn random_documents_come_back_equal() {
    let mut met = String::new();
    for seed in 1..=300u64 {
        println!("seed {seed}");
        let random = &mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for _ in 0..3 {
            random.below(2);
        }
        let records: Vec<String> = (0..random.below(40)).map(|_| random.object(0, seed as usize)).collect();
        let joined = records.join(random.pick(&[",", " ,\n", "\n,\r\n\t"]));
        let (text, layout) = match seed % 4 {
            0 => (format!("[{joined}]"), document(None)),
            1 => (format!("{{\"x\": {{}}, \"r\": [{joined}], \"y\": [{{}}]}}"), document(Some("r"))),
            2 => (format!("{{\"p\": {{\"a\": 1, \"r\":\n[{joined}]}}}}"), document(Some("p.r"))),
            _ if records.is_empty() => continue,
            _ => (records.join("\n"), Layout::Lines),
        };
        let (inspected, loaded) = load(text.as_bytes(), &layout, &[]).unwrap();
        assert_eq!(inspected.records as usize, records.len());
        met.push_str(&columns(&inspected));
        let mut rows = loaded.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
        for record in &records {
            let expected: Map<String, Value> = serde_json::from_str(record).unwrap();
            let (batch, row) = rows.next().unwrap();
            for ((name, kind), key) in inspected.columns.iter().zip(&inspected.keys) {
                compare(batch.column_by_name(name).unwrap(), row, kind, expected.get(key).unwrap_or(&Value::Null));
            }
            assert!(expected.keys().all(|key| inspected.keys.contains(key)));
        }
        assert!(rows.next().is_none());
    }
    for kind in ["boolean", "bigint", "decimal(", "text", "json", "unknown", "struct(", ")[]", "text[]", "bigint[][]"] {
        assert!(met.contains(kind), "no {kind} in {met}");
    }
}

#[test]
fn damaged_documents_are_refused_as_by_another_parser() {
    for seed in 1..=40u64 {
        let random = &mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let records: Vec<String> = (0..3).map(|_| random.object(0, seed as usize)).collect();
        let text = format!("[{}]", records.join(",")).into_bytes();
        for end in 0..text.len() {
            assert!(inspect(&text[..end], &document(None), &[], None).is_err(), "seed {seed}, first {end} bytes");
        }
        for change in 0..500 {
            let mut damaged = text.clone();
            let at = random.below(damaged.len());
            damaged[at] =
                random.pick(&["\"", "{", "}", "[", "]", ",", ":", "0", "-", ".", "e", "x", "\\", "\n", " ", "\0"]).as_bytes()[0];
            if change % 10 == 0 {
                damaged[at] = 0x80 + random.below(128) as u8;
            }
            let theirs = serde_json::from_slice::<Vec<Map<String, Value>>>(&damaged);
            let ours = inspect(&damaged, &document(None), &[], None);
            assert_eq!(ours.is_ok(), theirs.is_ok(), "seed {seed}, {}: {ours:?} {theirs:?}", String::from_utf8_lossy(&damaged));
            if let Ok(inspected) = ours {
                all(&damaged, &inspected);
            }
        }
    }
}
