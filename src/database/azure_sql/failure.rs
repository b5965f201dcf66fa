//! What a server of the SQL Server family or the way to it answers when something fails, as errors that teach.
//!
//! In: the driver's error and where it happened. Out: an `Error` with a code of ours, the server's own words, and what to do. The numbers of
//! errors are those of the vendor's list of database engine errors and of Azure SQL's transient faults.
//! Does not know about passwords: neither the driver's errors nor the server's hold any.

use tiberius::error::{Error as Driver, TokenError};

use super::super::failure::lost;
use crate::error::Error;

/// Errors of the engine at this severity or above end the connection.
const FATAL: u8 = 20;

/// A database that is not there, or that Azure wakes up.
pub const NO_SUCH_DATABASE: u32 = 4060;
/// Documented as passing: Azure moves, throttles or wakes a database.
const PASSING: [u32; 15] = [615, 926, 4221, 10928, 10929, 40143, 40197, 40501, 40540, 40613, 42108, 42109, 49918, 49919, 49920];

/// Makes an error of what the driver reports on a connection.
pub fn running(error: &Driver, place: &str) -> Error {
    match error {
        Driver::Server(token) => answered(token, place),
        Driver::Io { message, .. } => lost(place, message),
        Driver::Protocol(message) => lost(place, message),
        Driver::Tls(message) => lost(place, message),
        other => Error::new("X0517", format!("the server's answer cannot be read: {other} ({place})"))
            .help("Nothing was changed: the server takes back what was not committed."),
    }
}

/// Whether a server that refuses a login may accept it in a moment, by the documented numbers of transient faults.
pub fn is_transient(error: &Driver) -> bool {
    matches!(error, Driver::Server(token) if token.code() == NO_SUCH_DATABASE || PASSING.contains(&token.code()))
}

/// What the server itself said.
fn answered(token: &TokenError, place: &str) -> Error {
    error(token.code(), token.class(), token.message(), place)
}

/// What the server says about a query that it was asked to describe.
pub fn told(number: u32, message: &str, place: &str) -> Error {
    error(number, 0, message, place)
}

fn error(number: u32, class: u8, message: &str, place: &str) -> Error {
    let (code, fix) = meaning(number, class);
    Error::new(code, format!("{} (error {number}, {place})", message.trim())).help(fix)
}

/// Our code for a number, and what to do about it.
fn meaning(number: u32, class: u8) -> (&'static str, &'static str) {
    match number {
        18452 | 18456 | 18470 | 18486..=18488 | 40532 => {
            ("X0506", "Correct user and password of the target's `url`; Azure wants the server's own name as its host.")
        }
        40615 | 40914 | 47073 => ("X0506", "Allow this machine's address in the firewall rules of the Azure SQL server."),
        911 | NO_SUCH_DATABASE => (
            "X0507",
            "Create the database or the user in it, or correct its name at the end of the target's `url`; a database of Azure that wakes up also says so.",
        ),
        passing if PASSING.contains(&passing) => {
            ("X0504", "Azure moves, throttles or wakes the database: it was tried again for a while. Try again in a moment.")
        }
        6005 | 17142 | 17187 => ("X0504", "The server starts up or shuts down: try again in a moment."),
        1205 | 3960 | 3961 | 41301 | 41302 | 41305 | 41325 => {
            ("X0513", "Another session changed the same rows at the same time: try again.")
        }
        1222 => (
            "X0512",
            "Another session holds the lock: wait for it or end it (`sys.dm_tran_locks` shows it), or allow more time with `lock_timeout` in the target's `url`.",
        ),
        207 | 208 | 2706 | 2715 | 2760 | 2812 | 4902 => {
            ("X0508", "Create what is missing, or correct the contract below `schemas/` and run the pipeline again.")
        }
        229 | 230 | 262 | 297 | 300 | 916 | 1088 | 2557 | 3906 | 3908 | 15151 | 15247 | 50004 => {
            ("X0509", "Have the right granted to the target's user, or name another user in the target's `url`.")
        }
        241 | 242 | 245 | 515 | 547 | 2601 | 2627 | 2628 | 8114 | 8115 | 8152 => {
            ("X0515", "The target's rows or constraints are not what the contract below `schemas/` says: correct one of them.")
        }
        701 | 1101 | 1105 | 3959 | 9002 | 40544 | 40549..=40551 | 40553 => {
            ("X0511", "The server lacks memory, space or log: give it some. Nothing was changed.")
        }
        // RAISERROR of the script's frame, THROW of its guards.
        50000..=50099 => {
            ("X0516", "The script's own guard stopped it before anything was changed: see what it expected and found.")
        }
        number if class >= FATAL || matches!(number, 596 | 10053 | 10054 | 10060 | 40552) => {
            ("X0510", "The server ended the connection and takes back what was not committed. Look at its log, then try again.")
        }
        _ => ("X0517", "The server's own words say what it refused; nothing was changed."),
    }
}
