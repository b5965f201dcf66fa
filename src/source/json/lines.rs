//! Reads newline-delimited JSON: one record per line, on all cores.
//!
//! A line break cannot stand inside a JSON string, so the bytes can be split at any of them.
//! Does not know what is inside a record.

use std::thread;

use jiter::{Jiter, Peek};

use super::malformed::{Fault, kind};
use super::shape::Fields;
use super::{Found, Runs, document, infer};

/// Pieces smaller than this are not worth a thread.
const PIECE: usize = 1 << 20;

/// Reads the lines from `start` on.
pub(super) fn read(bytes: &[u8], start: usize, fields: Fields, limit: Option<usize>) -> Result<Found, Fault> {
    let limit = limit.unwrap_or(usize::MAX);
    let threads = if limit < bytes.len() { 1 } else { rayon::current_num_threads().min(1 + bytes.len() / PIECE) };
    let mut cuts = vec![start];
    for i in 1..threads {
        let begin = start + (bytes.len() - start) / threads * i;
        let rest = bytes.get(begin..).unwrap_or_default();
        cuts.push(rest.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| begin + at + 1));
    }
    cuts.push(bytes.len());
    cuts.dedup();
    let pieces: Vec<Result<Piece, Fault>> = thread::scope(|scope| {
        let spans: Vec<(usize, usize)> = cuts.iter().copied().zip(cuts.iter().copied().skip(1)).collect();
        let spawn = |(begin, end)| {
            let fields = fields.clone();
            scope.spawn(move || piece(bytes, begin, end, fields, limit))
        };
        let running: Vec<_> = spans.into_iter().map(spawn).collect();
        running.into_iter().map(|t| t.join().unwrap_or_else(|_| Err(Fault::new(start, "reading the lines failed")))).collect()
    });
    let mut found = Found { fields, runs: vec![], complete: true, end: bytes.len() };
    let mut lines = 0;
    for piece in pieces {
        let piece = piece?;
        found.fields.merge(piece.fields);
        found.runs.extend(piece.runs.0.into_iter().map(|run| super::Run { first: run.first + lines, ..run }));
        found.complete &= piece.complete;
        found.end = piece.end;
        lines += piece.lines;
    }
    if found.fields.wide {
        return Err(document::too_wide(start));
    }
    Ok(found)
}

struct Piece {
    fields: Fields,
    runs: Runs,
    lines: u64,
    complete: bool,
    end: usize,
}

/// Reads the lines between two offsets; lines are counted from 1 at the first.
fn piece(bytes: &[u8], begin: usize, end: usize, fields: Fields, limit: usize) -> Result<Piece, Fault> {
    let mut piece = Piece { fields, runs: Runs::default(), lines: 0, complete: true, end };
    let mut at = begin;
    let mut tape = vec![];
    while at < end {
        let rest = bytes.get(at..end).unwrap_or_default();
        let line = memchr::memchr(b'\n', rest).map_or(rest, |length| rest.get(..length).unwrap_or_default());
        piece.lines += 1;
        let blank = line.iter().take_while(|b| b.is_ascii_whitespace()).count();
        if blank < line.len() {
            let mut reader = Jiter::with_tape(line, tape);
            record(&mut reader, &mut piece.fields)
                .map_err(|fault| explain(fault, line, at + line.len() == bytes.len()).shift(at))?;
            piece.runs.add(piece.lines, at + blank, at + reader.current_index())?;
            tape = reader.into_tape();
        }
        at += line.len() + 1;
        if at >= limit && at < end {
            piece.complete = false;
            piece.end = at;
            break;
        }
    }
    Ok(piece)
}

fn record(reader: &mut Jiter, fields: &mut Fields) -> Result<(), Fault> {
    let peek = reader.peek()?;
    let begin = reader.current_index();
    if peek != Peek::Object {
        reader.known_skip(peek)?;
        let fault = Fault::new(begin, format!("the line holds {}, not an object", kind(peek)));
        return Err(match peek {
            Peek::Array => fault.help("If the file is one JSON document, say `format: json`."),
            _ => fault,
        });
    }
    infer::object(reader, fields, 1)?;
    let end = reader.current_index();
    if fields.wide {
        return Err(document::too_wide(begin));
    }
    let behind = reader.finish();
    behind.map_err(|_| Fault::new(end, "more follows on the line behind its record"))
}

/// Says "line" for a document that ends too early, because only the line does.
fn explain(mut fault: Fault, line: &[u8], last: bool) -> Fault {
    if let Some(inside) = fault.message.strip_prefix("the document ends") {
        fault.message = format!("the line ends{inside}");
        fault.offset = line.len();
        if !last {
            let help = "Every record must stand on one line; if the file is one JSON document, say `format: json`.";
            fault.help = Some(help.to_string());
        }
    }
    fault
}
