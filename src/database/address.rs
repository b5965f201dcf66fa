//! The address of a database: a URL, taken apart.
//!
//! In: `postgres://user:password@host:port/database?sslmode=verify-full`, or `sqlserver://` likewise. Out: an [`Address`] whose parts may be
//! shown one by one; the text itself is never shown. What a URL leaves out comes from the variables that the database's own tools read:
//! PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD, PGSSLMODE, PGSSLROOTCERT; for the others see `azure_sql/address.rs`. Does not connect.

use std::path::PathBuf;
use std::time::Duration;

use super::azure_sql::address::{self as azure_sql, Login};
use crate::error::Error;

/// Whether and how a connection is encrypted; the words are those of `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Disable,
    /// Encrypted where the server can, without asking who it is.
    Prefer,
    /// Encrypted, without asking who the server is.
    Require,
    /// Encrypted, with a certificate of a known authority.
    VerifyCa,
    /// Encrypted, with a certificate of a known authority for this host.
    VerifyFull,
}

impl Mode {
    fn read(word: &str) -> Option<Mode> {
        Some(match word {
            "disable" => Mode::Disable,
            "allow" | "prefer" => Mode::Prefer,
            "require" => Mode::Require,
            "verify-ca" => Mode::VerifyCa,
            "verify-full" => Mode::VerifyFull,
            _ => return None,
        })
    }

    pub fn word(self) -> &'static str {
        match self {
            Mode::Disable => "disable",
            Mode::Prefer => "prefer",
            Mode::Require => "require",
            Mode::VerifyCa => "verify-ca",
            Mode::VerifyFull => "verify-full",
        }
    }
}

/// Where a database is and how to get in.
#[derive(Clone)]
pub struct Address {
    pub(super) way: Way,
    pub mode: Mode,
    pub root_certificates: Option<PathBuf>,
    pub connect_timeout: Option<Duration>,
    pub lock_timeout: Option<Duration>,
    pub statement_timeout: Option<Duration>,
    pub(super) secrets: Vec<String>,
}

/// What each kind of server wants to know.
#[derive(Clone)]
pub(super) enum Way {
    /// The driver's own form, without what we read ourselves.
    Postgres(Box<postgres::Config>),
    AzureSql(Login),
}

impl Address {
    /// Reads a URL; `variable` looks into the environment.
    pub fn parse(url: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Address, Error> {
        let url = url.trim();
        if let Some(rest) = azure_sql::without_scheme(url) {
            return azure_sql::parse(rest, variable);
        }
        let Some(rest) = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://")) else {
            return Err(malformed("it begins neither with `postgres://` nor with `sqlserver://`"));
        };
        let (base, settings) = url.split_once('?').unwrap_or((url, ""));
        let mut others = vec![];
        let mut own = Own::default();
        for setting in settings.split('&').filter(|s| !s.is_empty()) {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            if !own.take(name, &decoded(value))? {
                others.push(setting);
            }
        }
        let kept = if others.is_empty() { base.to_string() } else { format!("{base}?{}", others.join("&")) };
        // The driver's message may hold parts of the URL that are secret.
        let mut config: postgres::Config = kept.parse().map_err(|_| malformed("a part of it cannot be read"))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            config.host(&variable("PGHOST").unwrap_or_else(|| "localhost".to_string()));
        }
        if let (true, Some(port)) = (config.get_ports().is_empty(), variable("PGPORT").and_then(|p| p.parse().ok())) {
            config.port(port);
        }
        if let (None, Some(user)) = (config.get_user(), variable("PGUSER")) {
            config.user(&user);
        }
        if let (None, Some(database)) = (config.get_dbname(), variable("PGDATABASE")) {
            config.dbname(&database);
        }
        if let (None, Some(password)) = (config.get_password(), variable("PGPASSWORD")) {
            config.password(password);
        }
        let mut secrets: Vec<String> =
            config.get_password().map(|p| String::from_utf8_lossy(p).into_owned()).into_iter().collect();
        // As it stands in the URL, which may be percent-encoded.
        let authority = rest.split(['/', '?']).next().unwrap_or("");
        secrets.extend(authority.rsplit_once('@').and_then(|(who, _)| who.split_once(':')).map(|(_, p)| p.to_string()));
        let mode = match own.mode {
            Some(mode) => mode,
            None => match variable("PGSSLMODE") {
                Some(word) => Mode::read(&word).ok_or_else(|| unknown_mode(&word))?,
                None => Mode::Prefer,
            },
        };
        own.root_certificates = own.root_certificates.or_else(|| variable("PGSSLROOTCERT")).filter(|p| p != "system");
        Ok(own.address(Way::Postgres(Box::new(config)), mode, secrets))
    }

    /// What no output may hold.
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// The driver's own form of the address of a PostgreSQL server.
    pub(super) fn postgres(&self) -> Result<&postgres::Config, Error> {
        match &self.way {
            Way::Postgres(config) => Ok(config),
            Way::AzureSql(_) => Err(malformed("it is one of SQL Server, and the target's dialect is `postgres`")),
        }
    }

    /// What a server of the SQL Server family is told.
    pub(super) fn azure_sql(&self) -> Result<&Login, Error> {
        match &self.way {
            Way::AzureSql(login) => Ok(login),
            Way::Postgres(_) => Err(malformed("it is one of PostgreSQL, and the target's dialect is `azure_sql`")),
        }
    }

    pub fn host(&self) -> String {
        let config = match &self.way {
            Way::Postgres(config) => config,
            Way::AzureSql(login) => return login.host.clone(),
        };
        match config.get_hosts().first() {
            Some(postgres::config::Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(postgres::config::Host::Unix(path)) => path.display().to_string(),
            None => config.get_hostaddrs().first().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// Whether the server is reached by way of a file of this machine.
    pub fn is_local_socket(&self) -> bool {
        self.host().starts_with('/')
    }

    pub fn port(&self) -> u16 {
        match &self.way {
            Way::Postgres(config) => config.get_ports().first().copied().unwrap_or(5432),
            Way::AzureSql(login) => login.port,
        }
    }

    /// The user's name; without one a PostgreSQL server is told the name of the operating system's user.
    pub fn user(&self) -> String {
        match &self.way {
            Way::Postgres(config) => config.get_user().map_or_else(|| std::env::var("USER").unwrap_or_default(), str::to_string),
            Way::AzureSql(login) => login.user.clone(),
        }
    }

    pub fn database(&self) -> String {
        match &self.way {
            Way::Postgres(config) => config.get_dbname().map_or_else(|| self.user(), str::to_string),
            Way::AzureSql(login) => login.database.clone(),
        }
    }

    /// Says where it leads, without secrets.
    pub fn place(&self) -> String {
        format!("{}@{}:{}/{}", self.user(), self.host(), self.port(), self.database())
    }
}

/// The settings that the driver does not know, or knows less of.
#[derive(Default)]
pub(super) struct Own {
    pub mode: Option<Mode>,
    pub root_certificates: Option<String>,
    pub connect_timeout: Option<Duration>,
    pub lock_timeout: Option<Duration>,
    pub statement_timeout: Option<Duration>,
}

impl Own {
    /// Makes an address of a way in, with these settings.
    pub fn address(self, way: Way, mode: Mode, secrets: Vec<String>) -> Address {
        Address {
            way,
            // A certificate that is named is meant to be used.
            mode: if mode == Mode::Require && self.root_certificates.is_some() { Mode::VerifyCa } else { mode },
            root_certificates: self.root_certificates.map(PathBuf::from),
            connect_timeout: self.connect_timeout,
            lock_timeout: self.lock_timeout,
            statement_timeout: self.statement_timeout,
            secrets,
        }
    }

    /// Takes a setting, if it is one of ours.
    pub fn take(&mut self, name: &str, value: &str) -> Result<bool, Error> {
        let seconds = || {
            let wrong = || malformed(&format!("`{name}` is no number of seconds"));
            value.parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok()).map(Some).ok_or_else(wrong)
        };
        match name {
            "sslmode" => self.mode = Some(Mode::read(value).ok_or_else(|| unknown_mode(value))?),
            "sslrootcert" => self.root_certificates = Some(value.to_string()),
            "connect_timeout" => self.connect_timeout = seconds()?,
            "lock_timeout" => self.lock_timeout = seconds()?,
            "statement_timeout" => self.statement_timeout = seconds()?,
            "sslcert" | "sslkey" => return Err(malformed(&format!("`{name}`: client certificates are not supported"))),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Replaces `%` codes.
pub(super) fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (vec![], text.as_bytes());
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or(&[]);
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Makes the error of a URL that leads nowhere.
pub(super) fn malformed(why: &str) -> Error {
    Error::new("X0502", format!("the target's `url` cannot be used: {why}")).help(
        "Write `postgres://user:password@host:5432/database?sslmode=verify-full`, or `sqlserver://user:password@host:1433/database`, with `%` codes for special characters in the password; \
         further settings are `sslrootcert`, and `connect_timeout`, `lock_timeout` and `statement_timeout` in seconds.",
    )
}

fn unknown_mode(word: &str) -> Error {
    malformed(&format!("there is no sslmode `{word}`; use disable, prefer, require, verify-ca or verify-full"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Address {
        Address::parse(url, &|name| (name == "PGPASSWORD").then(|| "from-outside".to_string())).unwrap()
    }

    #[test]
    fn urls_are_taken_apart() {
        let full = parse("postgresql://ana:p%40ss@db.example:6000/sales?sslmode=verify-full&lock_timeout=1.5&application_name=x");
        assert_eq!(full.place(), "ana@db.example:6000/sales");
        assert_eq!((full.mode, full.lock_timeout), (Mode::VerifyFull, Some(Duration::from_millis(1500))));
        assert_eq!(full.secrets(), ["p@ss", "p%40ss"]);
        let bare = parse("postgres://ana@db/sales");
        assert_eq!((bare.mode, bare.port(), bare.secrets()), (Mode::Prefer, 5432, &["from-outside".to_string()][..]));
        assert_eq!(parse("postgres://ana@db/s?sslmode=require&sslrootcert=a%2Fb.pem").mode, Mode::VerifyCa);
    }

    #[test]
    fn messages_hold_no_password() {
        let bad = [
            "mysql://ana:hunter22@db/x",
            "postgres://ana:hunter22@db:port/x",
            "postgres://ana:hunter22@db/x?sslmode=maybe",
            "postgres://ana:hunter22@db/x?nonsense=1",
            "postgres://ana:hunter22@db/x?lock_timeout=soon",
            "postgres://ana:hunter%ZZ22@db/x?hunter22=1",
        ];
        for url in bad {
            let Err(error) = Address::parse(url, &|_| None) else { continue };
            assert_eq!(error.code, "X0502");
            assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
        }
        assert!(Address::parse(bad[0], &|_| None).is_err() && Address::parse(bad[2], &|_| None).is_err());
    }
}
