//! Tells, step by step, why a server cannot be used.
//!
//! In: an address. Out: what each step found, up to the first that fails: name, port, encryption and login, version, rights, time-outs.
//! Changes nothing on the server. Does not know about targets or printing.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::{Address, Connection, Mode, Options, failure, literal};
use crate::error::Error;

/// One thing that was looked at.
pub struct Step {
    pub name: &'static str,
    pub found: Result<String, Error>,
}

/// Goes through all steps until one fails.
pub fn steps(dialect: &str, address: &Address, schema: Option<&str>, options: &Options) -> Vec<Step> {
    let mut steps = vec![];
    let mut note = |name: &'static str, found: Result<String, Error>| {
        let good = found.is_ok();
        steps.push(Step { name, found });
        good
    };
    if !address.is_local_socket() {
        let (host, port) = (address.host(), address.port());
        let found = match (host.as_str(), port).to_socket_addrs() {
            Ok(addresses) => Ok(addresses.collect::<Vec<_>>()),
            Err(e) => Err(failure::unknown_host(&host, &e.to_string())),
        };
        let addresses = found.clone().unwrap_or_default();
        let shown =
            found.map(|all| format!("{host} is {}", all.iter().map(|a| a.ip().to_string()).collect::<Vec<_>>().join(", ")));
        if !note("name", shown)
            || !note("port", reach(&addresses, &host, port, address.connect_timeout.unwrap_or(options.connect_timeout)))
        {
            return steps;
        }
    }
    let mut connection = match super::connect(dialect, address, options) {
        Ok(connection) => connection,
        Err(error) => {
            note(if error.code == "X0505" { "encryption" } else { "login" }, Err(error));
            return steps;
        }
    };
    note("encryption", Ok(encryption(&*connection, address.mode)));
    note("login", Ok(format!("as {} into database {}", address.user(), address.database())));
    for (name, question) in [("version", version as Question), ("rights", rights), ("time-outs", timeouts)] {
        let found = question(&mut *connection, schema);
        note(name, found);
    }
    steps
}

type Question = fn(&mut dyn Connection, Option<&str>) -> Result<String, Error>;

fn reach(addresses: &[std::net::SocketAddr], host: &str, port: u16, patience: Duration) -> Result<String, Error> {
    let mut last = "no address".to_string();
    for address in addresses {
        let started = Instant::now();
        match TcpStream::connect_timeout(address, patience) {
            Ok(_) => return Ok(format!("{port} answers in {} ms", started.elapsed().as_millis())),
            Err(e) => last = e.to_string(),
        }
    }
    Err(failure::no_answer(host, port, &last))
}

fn encryption(connection: &dyn Connection, mode: Mode) -> String {
    let judged = match mode {
        Mode::VerifyFull => "the certificate is of a known authority and for this host",
        Mode::VerifyCa => "the certificate is of a known authority",
        Mode::Disable | Mode::Prefer | Mode::Require => "who the server is was not asked",
    };
    if connection.encrypted() {
        format!("on (sslmode={}): {judged}", mode.word())
    } else {
        format!("off (sslmode={})", mode.word())
    }
}

/// The oldest server that the scripts are written for.
const OLDEST: u32 = 130_000;

fn version(connection: &mut dyn Connection, _: Option<&str>) -> Result<String, Error> {
    let rows = connection.query("SELECT current_setting('server_version'), current_setting('server_version_num')")?;
    let value = |column: usize| rows.rows.first().and_then(|r| r.get(column)?.clone()).unwrap_or_default();
    if value(1).parse::<u32>().is_ok_and(|number| number < OLDEST) {
        return Err(Error::new("X0517", format!("the server is PostgreSQL {}, which is older than 13", value(0)))
            .help("Upgrade the server: the scripts use what PostgreSQL 13 and later have."));
    }
    Ok(format!("PostgreSQL {}", value(0)))
}

fn rights(connection: &mut dyn Connection, schema: Option<&str>) -> Result<String, Error> {
    let name = schema.unwrap_or("public");
    let quoted = literal(name);
    let rows = connection.query(&format!(
        "SELECT array_to_string(ARRAY[
           CASE WHEN NOT has_database_privilege(current_database(), 'TEMP') THEN 'the user may not make temporary tables in this database' END,
           CASE WHEN to_regnamespace(quote_ident({quoted})) IS NULL THEN 'there is no schema ' || {quoted}
                WHEN NOT has_schema_privilege(to_regnamespace(quote_ident({quoted})), 'USAGE') THEN 'the user may not use schema ' || {quoted} END,
           CASE WHEN pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean THEN 'the server or session only allows reading' END
         ], '; ')"
    ))?;
    match rows.single() {
        None | Some("") => Ok(format!("temporary tables, schema {name}, writing")),
        Some(missing) => {
            Err(Error::new("X0509", missing.to_string()).help("Have it granted: GRANT TEMP ON DATABASE, GRANT USAGE ON SCHEMA."))
        }
    }
}

fn timeouts(connection: &mut dyn Connection, _: Option<&str>) -> Result<String, Error> {
    let names = ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"];
    let list: Vec<String> = names.iter().map(|n| format!("'{n}=' || current_setting('{n}')")).collect();
    Ok(connection.query(&format!("SELECT concat_ws(', ', {})", list.join(", ")))?.single().unwrap_or_default().to_string())
}
