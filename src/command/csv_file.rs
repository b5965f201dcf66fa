//! Writes rows as CSV: all threads format, and each writes what it has when its turn comes.
//!
//! In: a query of staged rows. Out: the file's content, in the order of the query. The engine's own writer copies rows that must stay in
//! order once more before it formats them, and takes more than twice the processor time. Does not know where the file belongs.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use arrow::record_batch::RecordBatch;

use crate::emit::csv;
use crate::engine::session::{Session, quote};
use crate::error::Error;
use crate::source::Staging;

/// Batches that a thread formats before it writes them: some ten thousand rows.
const PORTION: usize = 8;

/// Batches that lie together, and how many portions came before them.
type Portion = (usize, Vec<RecordBatch>);

/// Whose turn it is to write.
struct Turn {
    /// How many portions are written; `None` once writing has failed.
    written: Mutex<Option<usize>>,
    moved: Condvar,
}

/// Writes the rows of a query below a line with the names of its columns.
///
/// `path` is what messages call the file.
pub fn write(session: &Session, query: &str, mut file: &File, path: &Path) -> Result<(), Error> {
    let columns = session.rows(&format!("SELECT column_name, column_type FROM (DESCRIBE {query})"))?;
    let columns: Vec<(String, String)> =
        columns.into_iter().filter_map(|c| <[_; 2]>::try_from(c).ok()).filter_map(both).collect();
    let texts = columns.iter().map(|(name, data_type)| match csv::writes(data_type) {
        true => quote(name),
        false => format!("{}::VARCHAR", quote(name)),
    });
    let query = format!("SELECT {} FROM ({query})", texts.collect::<Vec<_>>().join(", "));
    let mut head = vec![];
    csv::header(columns.iter().map(|(name, _)| name.as_str()), &mut head);
    file.write_all(&head).map_err(|e| Error::file(path, "cannot write", &e))?;
    let threads = rayon::current_num_threads();
    let turn = Turn { written: Mutex::new(Some(0)), moved: Condvar::new() };
    let (hand_on, portions) = sync_channel(threads);
    let portions = Arc::new(Mutex::new(portions));
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..threads)
            .map(|_| {
                let (portions, turn) = (Arc::clone(&portions), &turn);
                scope.spawn(move || format_all(&portions, turn, file, path))
            })
            .collect();
        // Once the writers are gone, nobody waits for more.
        drop(portions);
        let read = read(session, &query, &hand_on);
        drop(hand_on);
        let gone = || Err(Error::new("X0104", "the thread that writes has ended"));
        let written: Vec<Result<(), Error>> = writers.into_iter().map(|w| w.join().unwrap_or_else(|_| gone())).collect();
        // Where a writer fails, reading fails after it.
        written.into_iter().collect::<Result<(), Error>>().and(read)
    })
}

fn both([name, data_type]: [Option<String>; 2]) -> Option<(String, String)> {
    Some((name?, data_type?))
}

/// Reads the rows and hands them on in portions.
fn read(session: &Session, query: &str, hand_on: &SyncSender<Portion>) -> Result<(), Error> {
    let (mut number, mut gathered) = (0, vec![]);
    let mut hand_over = |gathered: &mut Vec<RecordBatch>| {
        number += 1;
        hand_on.send((number - 1, std::mem::take(gathered))).map_err(|_| Error::new("X0104", "nobody writes any more"))
    };
    session.stream(query, &mut |batch| {
        gathered.push(batch);
        if gathered.len() == PORTION { hand_over(&mut gathered) } else { Ok(()) }
    })?;
    hand_over(&mut gathered)
}

/// Formats portions for as long as there are any, and writes each behind the one before it.
fn format_all(portions: &Mutex<Receiver<Portion>>, turn: &Turn, mut file: &File, path: &Path) -> Result<(), Error> {
    let mut text = vec![];
    loop {
        let Ok((number, batches)) = portions.lock().unwrap_or_else(PoisonError::into_inner).recv() else { return Ok(()) };
        text.clear();
        let formatted = batches.iter().try_for_each(|batch| {
            csv::rows(batch, &mut text).map_err(|column| {
                let name = batch.schema().field(column).name().clone();
                Error::new("X0401", format!("column `{name}` is staged in a type that files cannot hold"))
            })
        });
        let written = turn.written.lock().unwrap_or_else(PoisonError::into_inner);
        let mut written =
            turn.moved.wait_while(written, |at| at.is_some_and(|at| at != number)).unwrap_or_else(PoisonError::into_inner);
        if written.is_none() {
            return Ok(());
        }
        let done = formatted.and_then(|()| file.write_all(&text).map_err(|e| Error::file(path, "cannot write", &e)));
        *written = done.is_ok().then_some(number + 1);
        turn.moved.notify_all();
        done?;
    }
}
