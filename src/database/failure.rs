//! What a PostgreSQL server or the way to it answers when something fails, as errors that teach.
//!
//! In: the driver's error and where it happened. Out: an `Error` with a code of ours, the server's own words, and what to do.
//! Does not know about passwords: neither the driver's errors nor the server's hold any.

use std::error::Error as _;

use postgres::error::DbError;

use super::Address;
use crate::error::Error;

/// Makes an error of what the driver reports while connecting.
pub fn connecting(error: &postgres::Error, address: &Address) -> Error {
    if error.as_db_error().is_some() {
        return running(error, &address.place());
    }
    let (host, port, cause) = (address.host(), address.port(), causes(error));
    let text = error.to_string();
    if text.contains("TLS") || text.starts_with("error performing") {
        return Error::new("X0505", format!("no encrypted connection to `{host}:{port}`: {cause}")).help(
            "Look at the server's TLS settings; `sslmode` in the target's `url` says what is demanded: `require` encrypts, `verify-ca` also \
             wants a certificate of a known authority (name its file with `sslrootcert`), `verify-full` also one for this host.",
        );
    }
    if text.starts_with("authentication error") || text.starts_with("invalid configuration") {
        return Error::new("X0506", format!("login of `{}` to `{host}:{port}` is not possible: {cause}", address.user()))
            .help("Give the password in the target's `url`, best by a variable of the environment: `url: \"{{ env.DATABASE_URL }}\"`, or in PGPASSWORD.");
    }
    if cause.contains("lookup") || cause.contains("resolve") {
        return unknown_host(&host, &cause);
    }
    no_answer(&host, port, &cause)
}

/// Makes the error of a name that leads nowhere.
pub fn unknown_host(host: &str, cause: &str) -> Error {
    Error::new("X0503", format!("host `{host}` is not known: {cause}"))
        .help("Correct the host in the target's `url`, or look at the name service and VPN of this machine.")
}

/// Makes the error of a port that nobody listens at.
pub fn no_answer(host: &str, port: u16, cause: &str) -> Error {
    Error::new("X0504", format!("no server answers at `{host}:{port}`: {cause}")).help(
        "Start the server, or correct host and port in the target's `url`; a firewall lets connections time out. `pipe doctor` goes through it step by step.",
    )
}

/// Makes an error of what the driver reports on a connection.
pub fn running(error: &postgres::Error, place: &str) -> Error {
    match error.as_db_error() {
        Some(db) => answered(db, place),
        None => lost(place, &causes(error)),
    }
}

/// Makes the error of a connection that ended on the way.
pub fn lost(place: &str, cause: &str) -> Error {
    Error::new("X0510", format!("the connection to `{place}` ended: {cause}"))
        .help("The server takes back what was not committed. Look at whether it runs and at its log, then try again.")
}

fn causes(error: &postgres::Error) -> String {
    let mut text = String::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text += &format!("{}{words}", if text.is_empty() { "" } else { ": " });
        }
        next = cause.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

/// What the server itself said.
fn answered(db: &DbError, place: &str) -> Error {
    let state = db.code().code();
    let (code, fix) = meaning(state);
    let mut message = format!("{} (SQLSTATE {state}, {place})", db.message());
    for further in [db.detail(), db.where_().and_then(|w| w.lines().next())].into_iter().flatten() {
        message += &format!("\n  {further}");
    }
    let mut error = Error::new(code, message);
    error.help.extend(db.hint().map(str::to_string));
    error.help(fix)
}

/// Our code for a state of SQL, and what to do about it.
fn meaning(state: &str) -> (&'static str, &'static str) {
    let class = state.get(..2).unwrap_or("");
    match (state, class) {
        ("28000" | "28P01", _) => {
            ("X0506", "Correct user and password of the target's `url`; the server's `pg_hba.conf` says who may come from where.")
        }
        ("3D000", _) => ("X0507", "Create the database, or correct its name at the end of the target's `url`."),
        ("53100", _) => ("X0511", "Free space on the server's disk: nothing was changed, and the same command can be run again."),
        ("53300", _) => ("X0504", "The server has no connection left: close some, or raise `max_connections`."),
        ("57P03", _) => ("X0504", "The server starts up or shuts down: try again in a moment."),
        ("57P01" | "57P02" | "57P05" | "25P03", _) | (_, "08") => {
            ("X0510", "The server ended the connection and takes back what was not committed. Look at its log, then try again.")
        }
        ("55P03", _) => (
            "X0512",
            "Another session holds the lock: wait for it or end it (`pg_stat_activity` shows it), or allow more time with `lock_timeout` in the target's `url`.",
        ),
        ("57014", _) => {
            ("X0514", "Allow more time with `statement_timeout` in the target's `url`, or find out who cancelled it.")
        }
        ("42501", _) => ("X0509", "Have the right granted to the target's user, or name another user in the target's `url`."),
        ("42P01" | "42703" | "3F000" | "42883" | "42704", _) => {
            ("X0508", "Create what is missing, or correct the contract below `schemas/` and run the pipeline again.")
        }
        (_, "40") => ("X0513", "Another session changed the same rows at the same time: try again."),
        (_, "53") => ("X0511", "The server lacks memory, space or connections: give it some. Nothing was changed."),
        (_, "23") => {
            ("X0515", "The target's rows or constraints are not what the contract below `schemas/` says: correct one of them.")
        }
        ("P0001", _) => {
            ("X0516", "The script's own guard stopped it before anything was changed: see what it expected and found.")
        }
        ("25006", _) => ("X0509", "The server or session only allows reading: name the server that can be written to."),
        _ => ("X0517", "The server's own words say what it refused; nothing was changed."),
    }
}
