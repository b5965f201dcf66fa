//! What a server of the SQL Server family is asked before it is used.
//!
//! In: a session and the target's schema. Out: what was found, or an `Error` that says what is missing. Changes nothing on the server.

use super::super::Connection;
use super::super::probe::Question;
use super::literal;
use crate::error::Error;

/// The questions, by what they are about.
pub const QUESTIONS: &[(&str, Question)] = &[("version", version), ("rights", rights), ("time-outs", timeouts)];

/// The oldest server that the scripts are written for (SQL Server 2017), and the edition that Azure SQL calls itself.
const OLDEST: u32 = 14;
const AZURE: [&str; 2] = ["5", "8"];

fn version(connection: &mut dyn Connection, _: Option<&str>) -> Result<String, Error> {
    let rows = connection.query(
        "SELECT CONVERT(nvarchar(128), SERVERPROPERTY('ProductVersion')) AS version, CONVERT(nvarchar(128), SERVERPROPERTY('EngineEdition')) AS engine, \
         (SELECT CONVERT(nvarchar(10), compatibility_level) FROM sys.databases WHERE database_id = DB_ID()) AS compatibility",
    )?;
    let value = |column: usize| rows.rows.first().and_then(|r| r.get(column)?.clone()).unwrap_or_default();
    let (number, engine, compatibility) = (value(0), value(1), value(2));
    let is_azure = AZURE.contains(&engine.as_str());
    let major = number.split('.').next().and_then(|n| n.parse::<u32>().ok());
    if !is_azure && major.is_some_and(|n| n < OLDEST) {
        return Err(Error::new("X0517", format!("the server is SQL Server {number}, which is older than 2017 (14.0)"))
            .help("Upgrade the server: the scripts use what SQL Server 2017 and later have."));
    }
    if compatibility.parse::<u32>().is_ok_and(|level| level < 130) {
        return Err(Error::new(
            "X0517",
            format!("the database has compatibility level {compatibility}, where OPENJSON is missing"),
        )
        .help("Raise it: ALTER DATABASE CURRENT SET COMPATIBILITY_LEVEL = 140."));
    }
    let name = if is_azure { "Azure SQL" } else { "SQL Server" };
    Ok(format!("{name} {number}, compatibility level {compatibility}"))
}

fn rights(connection: &mut dyn Connection, schema: Option<&str>) -> Result<String, Error> {
    let name = schema.unwrap_or("dbo");
    let rows = connection.query(&format!(
        "SELECT CONVERT(nvarchar(200), CASE
           WHEN SCHEMA_ID({schema}) IS NULL THEN N'there is no schema of this name, or the user may not see it'
           WHEN DATABASEPROPERTYEX(DB_NAME(), 'Updateability') <> N'READ_WRITE' THEN N'the database only allows reading'
           WHEN HAS_PERMS_BY_NAME({schema}, 'SCHEMA', 'SELECT') = 0 OR HAS_PERMS_BY_NAME({schema}, 'SCHEMA', 'INSERT') = 0
             OR HAS_PERMS_BY_NAME({schema}, 'SCHEMA', 'UPDATE') = 0 OR HAS_PERMS_BY_NAME({schema}, 'SCHEMA', 'DELETE') = 0
             THEN N'note: not every right on the whole schema; single tables may have it' ELSE N'' END) AS missing",
        schema = literal(name)
    ))?;
    match rows.single() {
        None | Some("") => Ok(format!("schema {name}, reading and writing")),
        Some(note) if note.starts_with("note: ") => Ok(format!("schema {name}, {}", note.trim_start_matches("note: "))),
        Some(missing) => Err(Error::new("X0509", format!("schema `{name}`: {missing}")).help(
            "Create the schema, or have the rights granted: GRANT SELECT, INSERT, UPDATE, DELETE ON SCHEMA::name TO user.",
        )),
    }
}

fn timeouts(connection: &mut dyn Connection, _: Option<&str>) -> Result<String, Error> {
    let rows = connection.query("SELECT CONVERT(nvarchar(20), @@LOCK_TIMEOUT) AS milliseconds")?;
    Ok(format!("lock_timeout={}ms", rows.single().unwrap_or_default()))
}
