//! Reads one JSON document: walks to the list of records and over each of them, then to the end.
//!
//! Does not know what is inside of a record.

use jiter::{Jiter, Peek};

use super::malformed::{Fault, kind};
use super::shape::Fields;
use super::{Found, Runs, infer};

/// How many keys a message names.
const NAMED: usize = 12;

/// Reads the document that begins at `start`.
pub(super) fn read(bytes: &[u8], start: usize, path: Option<&str>, fields: Fields, limit: Option<usize>) -> Result<Found, Fault> {
    let text = bytes.get(start..).unwrap_or_default();
    let mut walk = Walk {
        reader: Jiter::new(text),
        start,
        fields,
        runs: Runs::default(),
        records: 0,
        limit: limit.unwrap_or(usize::MAX),
        found: false,
        stopped: false,
        missing: None,
    };
    let done = walk.document(path).map_err(|fault| fault.shift(start));
    done?;
    let end = start + walk.reader.current_index();
    Ok(Found { fields: walk.fields, runs: walk.runs.0, complete: !walk.stopped, end })
}

struct Walk<'a> {
    reader: Jiter<'a>,
    start: usize,
    fields: Fields,
    runs: Runs,
    records: u64,
    limit: usize,
    found: bool,
    /// The limit was reached.
    stopped: bool,
    /// Why the path was not found, where it first got lost.
    missing: Option<Fault>,
}

impl Walk<'_> {
    fn document(&mut self, path: Option<&str>) -> Result<(), Fault> {
        let peek = self.reader.peek()?;
        match (path, peek) {
            (None, Peek::Array) => self.records("the document")?,
            (None, Peek::Object) => self.record()?,
            (Some(path), Peek::Object) => {
                self.object(path, "the document", 0)?;
                if !self.found {
                    let index = self.reader.current_index();
                    return Err(self.missing.take().unwrap_or_else(|| Fault::new(index, format!("there is no `{path}`"))));
                }
            }
            (Some(path), Peek::Array) => {
                self.reader.known_skip(peek)?;
                return Err(Fault::new(0, format!("the document is a list, which has no `{path}`"))
                    .help("Leave `records:` out: the list's elements are the records."));
            }
            _ => {
                self.reader.known_skip(peek)?;
                return Err(Fault::new(0, format!("the document is {}, neither a list nor an object", kind(peek))));
            }
        }
        if self.stopped {
            return Ok(());
        }
        self.reader.finish().map_err(|error| match (peek, self.reader.peek()) {
            (Peek::Object, Ok(Peek::Object)) => Fault::new(error.index, "another object follows behind the end of the document")
                .help("If every line is a record, say `format: ndjson`."),
            _ => error.into(),
        })
    }

    /// Walks over an object that the path leads through, and down where the path goes on.
    fn object(&mut self, path: &str, place: &str, depth: usize) -> Result<(), Fault> {
        let begin = self.reader.current_index();
        let mut keys = Keys::default();
        let mut next = self.reader.known_object()?.map(String::from);
        let mut met = false;
        while let Some(key) = next {
            let peek = self.reader.peek()?;
            let index = self.reader.current_index();
            let rest = path.strip_prefix(key.as_str()).and_then(|rest| rest.strip_prefix('.'));
            if key == path {
                if self.found {
                    return Err(Fault::new(index, format!("{place} has `{key}` twice")));
                }
                if peek != Peek::Array {
                    let message = format!("`{key}` is {}, not a list of records", kind(peek));
                    return Err(Fault::new(index, message));
                }
                met = true;
                self.found = true;
                self.records(&format!("`{key}`"))?;
            } else if let Some(rest) = rest.filter(|_| peek == Peek::Object && depth < infer::DEPTH) {
                met = true;
                self.object(rest, &format!("`{key}`"), depth + 1)?;
            } else {
                if rest.is_some() {
                    met = true;
                    let message = format!("`{key}` is {}, so there is no `{path}`", kind(peek));
                    self.missing.get_or_insert(Fault::new(index, message));
                }
                self.reader.known_skip(peek)?;
            }
            if self.stopped {
                return Ok(());
            }
            keys.add(&key, peek);
            next = self.reader.next_key()?.map(String::from);
        }
        if !met {
            self.missing.get_or_insert(keys.missing(path, place).shift(begin));
        }
        Ok(())
    }

    fn records(&mut self, place: &str) -> Result<(), Fault> {
        let mut next = self.reader.known_array()?;
        while let Some(peek) = next {
            if peek != Peek::Object {
                let index = self.reader.current_index();
                // What is no value at all is rather reported as that.
                self.reader.known_skip(peek)?;
                let message = format!("element {} of {place} is {}, not an object", self.records, kind(peek));
                return Err(Fault::new(index, message));
            }
            self.record()?;
            if self.reader.current_index() >= self.limit {
                self.stopped = true;
                return Ok(());
            }
            next = self.reader.array_step()?;
        }
        Ok(())
    }

    fn record(&mut self) -> Result<(), Fault> {
        let begin = self.reader.current_index();
        infer::object(&mut self.reader, &mut self.fields, 1)?;
        if self.fields.wide {
            return Err(too_wide(begin));
        }
        let end = self.reader.current_index();
        // Runs are kept in the whole document's offsets, faults in the reader's.
        self.runs.add(self.records, self.start + begin, self.start + end).map_err(|fault| Fault { offset: begin, ..fault })?;
        self.records += 1;
        Ok(())
    }
}

pub(super) fn too_wide(offset: usize) -> Fault {
    Fault::new(offset, format!("the records have more than {} different keys", super::COLUMNS))
        .help("They are perhaps not records but maps; name the list of records with `records:`.")
}

/// The keys that stand where the path got lost.
#[derive(Default)]
struct Keys {
    named: Vec<String>,
    lists: Vec<String>,
    more: bool,
}

impl Keys {
    fn add(&mut self, key: &str, peek: Peek) {
        let name = format!("`{key}`");
        if peek == Peek::Array && self.lists.len() < NAMED {
            self.lists.push(name.clone());
        }
        if self.named.len() < NAMED {
            self.named.push(name);
        } else {
            self.more = true;
        }
    }

    fn missing(&self, path: &str, place: &str) -> Fault {
        let more = if self.more { " and more" } else { "" };
        let message = match self.named.as_slice() {
            [] => format!("{place} has no `{path}`; it is empty"),
            [one] => format!("{place} has no `{path}`; its only key is {one}"),
            many => format!("{place} has no `{path}`; its keys are {}{more}", many.join(", ")),
        };
        let fault = Fault::new(0, message);
        match self.lists.as_slice() {
            [] => fault,
            [one] => fault.help(format!("The list there is {one}.")),
            many => fault.help(format!("The lists there are {}.", many.join(", "))),
        }
    }
}
