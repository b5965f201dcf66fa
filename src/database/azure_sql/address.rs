//! The address of a server of the SQL Server family: a URL, taken apart.
//!
//! In: what follows `sqlserver://` (or `mssql://`). Out: an [`Address`]. What a URL leaves out comes from the variables that `sqlcmd` reads:
//! SQLCMDSERVER, SQLCMDUSER, SQLCMDPASSWORD, SQLCMDDBNAME. Unlike elsewhere, `sslmode` is `verify-full` if nothing else is said: the
//! password of a login is not hashed on its way. Does not connect.

use super::super::address::{Address, Mode, Own, Way, decoded, malformed};
use crate::error::Error;

/// What a server is told at the login.
#[derive(Clone)]
pub struct Login {
    pub host: String,
    pub port: u16,
    pub database: String,
    pub user: String,
    pub password: String,
}

/// Returns what follows the scheme, if the URL is one of ours.
pub fn without_scheme(url: &str) -> Option<&str> {
    url.strip_prefix("sqlserver://").or_else(|| url.strip_prefix("mssql://"))
}

/// Reads what follows the scheme of a URL.
pub fn parse(rest: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Address, Error> {
    let (base, settings) = rest.split_once('?').unwrap_or((rest, ""));
    let mut own = Own::default();
    for setting in settings.split('&').filter(|s| !s.is_empty()) {
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        if !own.take(name, &decoded(value))? {
            // What it is called may be a part of the password, where a `?` in it was not encoded.
            return Err(malformed("it has a setting that is not known"));
        }
    }
    let (authority, database) = base.split_once('/').unwrap_or((base, ""));
    let (who, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = who.split_once(':').unwrap_or((who, ""));
    let (host, port) = match place.strip_prefix('[').and_then(|p| p.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').unwrap_or(port)),
        None => place.rsplit_once(':').unwrap_or((place, "")),
    };
    let given = |text: &str, name: &str| match decoded(text) {
        empty if empty.is_empty() => variable(name),
        text => Some(text),
    };
    let mut secrets: Vec<String> = vec![];
    let found = given(password, "SQLCMDPASSWORD").unwrap_or_default();
    secrets.extend([found.as_str(), password].into_iter().filter(|s| !s.is_empty()).map(str::to_string));
    secrets.dedup();
    let login = Login {
        host: given(host, "SQLCMDSERVER").unwrap_or_else(|| "localhost".to_string()),
        port: match port {
            "" => 1433,
            digits => digits.parse().map_err(|_| malformed("the port is no number"))?,
        },
        database: given(database, "SQLCMDDBNAME").ok_or_else(|| malformed("the database is missing"))?,
        user: given(user, "SQLCMDUSER").ok_or_else(|| malformed("the user is missing"))?,
        password: found,
    };
    let mode = own.mode.unwrap_or(Mode::VerifyFull);
    Ok(own.address(Way::AzureSql(login), mode, secrets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let full = Address::parse("sqlserver://ana:p%40ss@db.example:1500/sales?lock_timeout=2", &|_| None).unwrap();
        assert_eq!((full.place().as_str(), full.mode), ("ana@db.example:1500/sales", Mode::VerifyFull));
        assert_eq!(full.secrets(), ["p@ss", "p%40ss"]);
        let outside = |name: &str| (name == "SQLCMDPASSWORD").then(|| "from-outside".to_string());
        let bare = Address::parse("mssql://ana@[::1]/sales?sslmode=disable", &outside).unwrap();
        assert_eq!((bare.host().as_str(), bare.port(), bare.mode), ("::1", 1433, Mode::Disable));
        assert_eq!(bare.secrets(), ["from-outside"]);
    }

    #[test]
    fn messages_hold_no_password() {
        for url in [
            "sqlserver://ana:hunter22@db:port/x",
            "sqlserver://ana:hunter22@db",
            "sqlserver://ana:hunter22@db/x?sslmode=maybe",
            "sqlserver://ana:a?hunter22@db/x",
        ] {
            let Err(error) = Address::parse(url, &|_| None) else { panic!("{url}") };
            assert_eq!(error.code, "X0502");
            assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
        }
    }
}
