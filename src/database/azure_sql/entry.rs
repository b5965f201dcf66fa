//! Comes into a server of the SQL Server family: name, port, encryption, login, and where it sends us on.
//!
//! In: an address and options. Out: the driver's session. What Azure documents as passing (a database that moves, wakes up or is throttled)
//! is tried again for a while. Does not know what the session is for.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tiberius::error::Error as Driver;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::super::failure::{no_answer, unknown_host};
use super::super::{Address, Mode, Options, tls};
use super::address::Login;
use super::door::{Door, Shut};
use super::failure;
use crate::error::Error;
use crate::stop::rest;

/// The driver's session.
pub type Session = Client<Compat<Door>>;

/// How often a login is tried that the server refuses for the moment, and how long to wait first; each further wait is twice as long.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(500);
/// How often it is tried where the refusal may also mean that there is no such database.
const UNCERTAIN: u32 = 3;
/// How often one server may send us on to another.
const HOPS: u32 = 3;
/// How much is sent at a time.
const PACKET: u32 = 8_000;

/// Logs in; also tells whether the connection is encrypted.
pub fn enter(runtime: &Runtime, address: &Address, options: &Options) -> Result<(Session, bool), Error> {
    let entry = Entry::new(address, options)?;
    let mut attempt = 1;
    loop {
        let error = match entry.enter(runtime) {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        let most = match &error {
            Refused::Driver(e) if e.code() == Some(failure::NO_SUCH_DATABASE) => UNCERTAIN,
            Refused::Driver(e) if failure::is_transient(e) => ATTEMPTS,
            _ => 0,
        };
        if attempt >= most || !rest(PAUSE * 2_u32.pow(attempt - 1), &options.stopped) {
            return Err(entry.explain(error));
        }
        attempt += 1;
    }
}

enum Refused {
    Host(String, String),
    Port(String, u16, String),
    Encryption(String, u16, String),
    Driver(Driver),
}

struct Entry<'a> {
    address: &'a Address,
    login: &'a Login,
    settings: Option<Arc<ClientConfig>>,
    patience: Duration,
    application: String,
}

impl Entry<'_> {
    fn new<'a>(address: &'a Address, options: &Options) -> Result<Entry<'a>, Error> {
        // Version 1.3 belongs to a later version of the protocol.
        let versions = [&rustls::version::TLS12];
        let settings = match address.mode {
            Mode::Disable => None,
            mode => Some(Arc::new(tls::settings(mode, address.root_certificates.as_deref(), &versions)?)),
        };
        Ok(Entry {
            address,
            login: address.azure_sql()?,
            settings,
            patience: address.connect_timeout.unwrap_or(options.connect_timeout),
            application: options.application.clone(),
        })
    }

    fn enter(&self, runtime: &Runtime) -> Result<(Session, bool), Refused> {
        let (mut host, mut port) = (self.login.host.clone(), self.login.port);
        for _ in 0..HOPS {
            match self.enter_at(runtime, &host, port) {
                // Azure's gateway names the machine that has the database.
                Err(Refused::Driver(Driver::Routing { host: next_host, port: next_port })) => {
                    (host, port) = (next_host.split('\\').next().unwrap_or_default().to_string(), next_port);
                }
                answered => return answered,
            }
        }
        Err(Refused::Port(host, port, "each server sends us on to the next".to_string()))
    }

    fn enter_at(&self, runtime: &Runtime, host: &str, port: u16) -> Result<(Session, bool), Refused> {
        let addresses: Vec<SocketAddr> =
            (host, port).to_socket_addrs().map_err(|e| Refused::Host(host.to_string(), e.to_string()))?.collect();
        let shut = |why: String| Refused::Port(host.to_string(), port, why);
        runtime.block_on(async {
            let mut tcp = Err("no address".to_string());
            for address in &addresses {
                tcp = match tokio::time::timeout(self.patience, TcpStream::connect(address)).await {
                    Ok(connected) => connected.map_err(|e| e.to_string()),
                    Err(_) => Err(format!("no answer within {} s", self.patience.as_secs_f64())),
                };
                if tcp.is_ok() {
                    break;
                }
            }
            let tcp = tcp.map_err(shut)?;
            // What is sent is sent at once; a failure only costs time.
            let _ = tcp.set_nodelay(true);
            let opening = Door::open(tcp, host, self.address.mode, self.settings.clone());
            let door = match tokio::time::timeout(self.patience, opening).await {
                Ok(Ok(door)) => door,
                Ok(Err(Shut::Network(e))) => return Err(shut(e.to_string())),
                Ok(Err(Shut::Encryption(why))) => return Err(Refused::Encryption(host.to_string(), port, why)),
                Err(_) => {
                    return Err(shut(format!(
                        "it takes the connection, but says nothing within {} s",
                        self.patience.as_secs_f64()
                    )));
                }
            };
            let encrypted = door.encrypted();
            let session = Client::connect(self.config(host, port), door.compat_write()).await.map_err(Refused::Driver)?;
            Ok((session, encrypted))
        })
    }

    /// What the driver is told; to it the stream is not encrypted.
    fn config(&self, host: &str, port: u16) -> Config {
        let mut config = Config::new();
        config.host(host);
        config.port(port);
        config.database(&self.login.database);
        config.authentication(AuthMethod::sql_server(&self.login.user, &self.login.password));
        config.application_name(&self.application);
        config.encryption(EncryptionLevel::NotSupported);
        config.packet_size(PACKET);
        config.handshake_timeout(Some(self.patience));
        config
    }

    fn explain(&self, refused: Refused) -> Error {
        match refused {
            Refused::Host(host, cause) => unknown_host(&host, &cause),
            Refused::Port(host, port, cause) => no_answer(&host, port, &cause),
            Refused::Encryption(host, port, cause) => {
                Error::new("X0505", format!("no encrypted connection to `{host}:{port}`: {cause}")).help(
                    "`sslmode` in the target's `url` says what is demanded: `verify-full`, which is meant if nothing is said, wants a certificate \
                     of a known authority for this host (name the authority's file with `sslrootcert`), `verify-ca` one for any host, `require` only encrypts.",
                )
            }
            Refused::Driver(Driver::Io { message, .. }) => no_answer(&self.login.host, self.login.port, &message),
            Refused::Driver(error) => failure::running(&error, &self.address.place()),
        }
    }
}
