//! Learns shapes from values: the first pass over the bytes.
//!
//! In: a reader that stands before a value. Out: the value's shape merged into what is known, and the value validated.
//! Does not know where records stand or what types shapes become.

use jiter::{Jiter, Peek};

use super::malformed::{Fault, too_deep};
use super::shape::{Fields, Kind, Shape};

/// How deep lists and objects may be nested in a record.
pub(super) const DEPTH: usize = 128;

/// Reads one object, whose first byte was peeked, into `fields`.
pub(super) fn object(reader: &mut Jiter, fields: &mut Fields, depth: usize) -> Result<(), Fault> {
    let mut cursor = 0;
    let mut slot = reader.known_object()?.map(|key| fields.slot(key, &mut cursor));
    while let Some(index) = slot {
        let peek = reader.peek()?;
        match index.and_then(|index| fields.seen.get_index_mut(index)) {
            Some((_, shape)) => value(reader, peek, shape, depth)?,
            None => reader.known_skip(peek)?,
        }
        slot = reader.next_key()?.map(|key| fields.slot(key, &mut cursor));
    }
    Ok(())
}

fn value(reader: &mut Jiter, peek: Peek, shape: &mut Shape, depth: usize) -> Result<(), Fault> {
    match peek {
        Peek::String => {
            shape.see(Kind::Text);
            reader.known_bytes()?;
        }
        Peek::Null => reader.known_null()?,
        Peek::True | Peek::False => {
            shape.see(Kind::Boolean);
            reader.known_bool(peek)?;
        }
        Peek::Array | Peek::Object if depth >= DEPTH => return Err(too_deep(reader.current_index())),
        Peek::Array => {
            let only = shape.see(Kind::List);
            if !only || shape.written {
                reader.known_skip(peek)?;
                return Ok(());
            }
            let element = shape.element.get_or_insert_default();
            let mut next = reader.known_array()?;
            while let Some(peek) = next {
                value(reader, peek, element, depth + 1)?;
                next = reader.array_step()?;
            }
        }
        Peek::Object => {
            let only = shape.see(Kind::Object);
            if !only || shape.written {
                reader.known_skip(peek)?;
                return Ok(());
            }
            object(reader, shape.fields.get_or_insert_default(), depth + 1)?;
        }
        // Everything else is a number, or reported by the reader as no value.
        peek => {
            shape.see(Kind::Number);
            shape.numbers.add(reader.known_number_bytes(peek)?);
        }
    }
    Ok(())
}
