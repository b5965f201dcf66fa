//! Writes rows as CSV: all threads format, and each writes what it has when its turn comes.
//!
//! In: a staged table. Out: the file's content, in the order of the rows. Stored rows are read by all threads, too; others come from one query,
//! which one thread reads. The engine's own writer copies rows that must stay in order once more before it formats them, and takes more than
//! twice the processor time. Does not know where the file belongs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use arrow::record_batch::RecordBatch;

use crate::emit::csv;
use crate::engine;
use crate::engine::session::{Session, quote};
use crate::error::Error;
use crate::plan::TablePlan;
use crate::source::Staging;
use crate::types::DataType;

/// Batches that are handed on together: some ten thousand rows.
const PORTION: usize = 8;

/// How much text is written at once while later portions wait.
const SOME: usize = 256 << 10;

/// Rows that lie together, and how many portions come before them.
type Portion = (usize, Rows);

enum Rows {
    Read(Vec<RecordBatch>),
    /// The query that gives them.
    Unread(String),
}

/// The file, and whose turn it is to write.
struct Turns<'a> {
    file: &'a File,
    /// What messages call the file.
    path: &'a Path,
    /// How many portions are written; `None` once something has failed.
    written: Mutex<Option<usize>>,
    moved: Condvar,
    /// How many rows were formatted.
    rows: AtomicU64,
}

/// Writes a table's rows below a line with the names of its columns; returns how many there are.
///
/// `path` is what messages call the file.
pub fn write(session: &Session, table: &TablePlan, mut file: &File, path: &Path) -> Result<u64, Error> {
    let mut head = vec![];
    csv::header(table.columns.iter().map(|c| c.name.as_str()), &mut head);
    file.write_all(&head).map_err(|e| Error::file(path, "cannot write", &e))?;
    let name = &table.name.value;
    let parts: Vec<String> = engine::parts(name, session)?.iter().map(|part| format!("({part})")).collect();
    let columns = columns(session, table, parts.first().unwrap_or(&quote(name)))?;
    let select = |from: &str| format!("SELECT {columns} FROM {from}");
    let parts: Vec<String> = parts.iter().map(|part| select(part)).collect();
    let threads = rayon::current_num_threads();
    let turns = Turns { file, path, written: Mutex::new(Some(0)), moved: Condvar::new(), rows: AtomicU64::new(0) };
    let (hand_on, portions) = sync_channel(threads);
    let portions = Arc::new(Mutex::new(portions));
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..threads)
            .map(|_| {
                let (portions, turns) = (Arc::clone(&portions), &turns);
                scope.spawn(move || turns.write_all(&portions, session))
            })
            .collect();
        // Once the writers are gone, nobody waits for more.
        drop(portions);
        let read = match parts.is_empty() {
            true => read(session, &select(&quote(name)), &hand_on),
            false => parts.into_iter().enumerate().try_for_each(|(i, part)| send(&hand_on, (i, Rows::Unread(part)))),
        };
        drop(hand_on);
        let gone = || Err(Error::new("X0104", "the thread that writes has ended"));
        let written: Vec<Result<(), Error>> = writers.into_iter().map(|w| w.join().unwrap_or_else(|_| gone())).collect();
        // Where a writer fails, reading fails after it.
        written.into_iter().collect::<Result<(), Error>>().and(read)
    })?;
    Ok(turns.rows.into_inner())
}

/// What is read of a table's rows: as they are stored, or as text.
fn columns(session: &Session, table: &TablePlan, rows: &str) -> Result<String, Error> {
    let staged = session.rows(&format!("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {rows})"))?;
    let types: BTreeMap<String, String> =
        staged.into_iter().filter_map(|row| <[_; 2]>::try_from(row).ok()).filter_map(|[name, t]| Some((name?, t?))).collect();
    let column = |c: &crate::stage::Column| {
        let name = quote(&c.name);
        match (&c.data_type, types.get(&c.name)) {
            // They can be read back as JSON.
            (DataType::List(_) | DataType::Struct(_), _) => format!("to_json({name})::VARCHAR"),
            (_, Some(staged)) if csv::writes(staged) => name,
            _ => format!("{name}::VARCHAR"),
        }
    };
    Ok(table.columns.iter().map(column).collect::<Vec<_>>().join(", "))
}

/// Reads the rows of a query and hands them on.
fn read(session: &Session, query: &str, hand_on: &SyncSender<Portion>) -> Result<(), Error> {
    let (mut number, mut gathered) = (0, vec![]);
    session.stream(query, &mut |batch| {
        gathered.push(batch);
        if gathered.len() < PORTION {
            return Ok(());
        }
        number += 1;
        send(hand_on, (number - 1, Rows::Read(std::mem::take(&mut gathered))))
    })?;
    send(hand_on, (number, Rows::Read(gathered)))
}

fn send(hand_on: &SyncSender<Portion>, portion: Portion) -> Result<(), Error> {
    hand_on.send(portion).map_err(|_| Error::new("X0104", "nobody writes any more"))
}

impl Turns<'_> {
    /// Formats portions for as long as there are any, and writes each behind the one before it.
    fn write_all(&self, portions: &Mutex<Receiver<Portion>>, session: &Session) -> Result<(), Error> {
        let _alarm = Alarm(self);
        let mut text = vec![];
        loop {
            let Ok((number, rows)) = portions.lock().unwrap_or_else(PoisonError::into_inner).recv() else { return Ok(()) };
            let mut add = |batch: &RecordBatch| {
                format(batch, &mut text)?;
                self.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
                // What was just formatted is still in the processor's memory.
                if text.len() >= SOME && self.is_turn(number) { self.put(&mut text) } else { Ok(()) }
            };
            let formatted = match rows {
                Rows::Read(batches) => batches.iter().try_for_each(&mut add),
                Rows::Unread(query) => session.stream(&query, &mut |batch| add(&batch)),
            };
            let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            let before = |written: &mut Option<usize>| written.is_some_and(|written| written != number);
            let mut written = self.moved.wait_while(written, before).unwrap_or_else(PoisonError::into_inner);
            if written.is_none() {
                return Ok(());
            }
            let done = formatted.and_then(|()| self.put(&mut text));
            *written = done.is_ok().then_some(number + 1);
            self.moved.notify_all();
            done?;
        }
    }

    /// Whether all portions before this one are written.
    fn is_turn(&self, number: usize) -> bool {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) == Some(number)
    }

    /// Writes text, whose turn it must be.
    fn put(&self, text: &mut Vec<u8>) -> Result<(), Error> {
        let mut file = self.file;
        file.write_all(text).map_err(|e| Error::file(self.path, "cannot write", &e))?;
        text.clear();
        Ok(())
    }
}

/// Tells the others that a thread has died: they would wait for its turn for ever.
struct Alarm<'a>(&'a Turns<'a>);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0.written.lock().unwrap_or_else(PoisonError::into_inner) = None;
            self.0.moved.notify_all();
        }
    }
}

fn format(batch: &RecordBatch, text: &mut Vec<u8>) -> Result<(), Error> {
    csv::rows(batch, text).map_err(|column| {
        let name = batch.schema().field(column).name().clone();
        Error::new("X0401", format!("column `{name}` is staged in a type that files cannot hold"))
    })
}
