//! Values as Postgres reads them: the text before any quoting.
//!
//! In: a [`Value`]. Out: its text, appended; for lists an array constant. Does not know about COPY or statements.

use super::canon::hexadecimal;
use super::text;
use crate::emit::cells::Value;
use crate::emit::{numbers, times};

/// Appends a value's text; nothing for NULL.
pub fn print(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Boolean(true) => out.push(b't'),
        Value::Boolean(false) => out.push(b'f'),
        Value::Integer(number) => numbers::integer(*number, out),
        Value::Unsigned(number) => numbers::unsigned(*number, out),
        Value::Decimal(number, scale) => numbers::decimal(*number, *scale, out),
        Value::Real(number) => numbers::real(*number, out),
        Value::Double(number) => numbers::double(*number, out),
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Bytes(bytes) => {
            out.extend_from_slice(b"\\x");
            hexadecimal(bytes, out);
        }
        Value::Date(days) => times::date(*days, out),
        Value::Time(micros) => times::time(*micros, out),
        Value::Timestamp(micros, zoned) => times::timestamp(*micros, *zoned, out),
        Value::List(elements) => {
            let mut plain = vec![];
            out.push(b'{');
            for (i, item) in elements.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                match item {
                    Value::Null => out.extend_from_slice(b"NULL"),
                    Value::List(_) => print(&item, out),
                    Value::Text(text) => text::element(text.as_bytes(), out),
                    item => {
                        plain.clear();
                        print(&item, &mut plain);
                        text::element(&plain, out);
                    }
                }
            }
            out.push(b'}');
        }
    }
}
