//! The way into a server of the SQL Server family: the first packets, and encryption.
//!
//! In: a connection of TCP and settings. Out: a [`Door`], a stream over which the driver speaks as if nothing were encrypted. The protocol wraps
//! the handshake of TLS into packets of its own, so it is done here, with the same settings as for other servers (`tls.rs`); the
//! driver's own first packet is answered with what the server has answered to ours. Source: [MS-TDS] 2.2.6.5, 3.2.5. Does not log in.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::Mode;

/// The bytes of a packet's header.
const HEADER: usize = 8;
/// The kinds of packets.
const PRELOGIN: u8 = 0x12;
const RESPONSE: u8 = 0x04;
/// What is said about encryption.
const ON: u8 = 1;
const NOT_SUPPORTED: u8 = 2;
const REQUIRED: u8 = 3;

/// Why a door stays shut.
pub enum Shut {
    /// The network, or what came over it.
    Network(io::Error),
    /// Encryption is not to be had as it is wanted.
    Encryption(String),
}

impl From<io::Error> for Shut {
    fn from(error: io::Error) -> Shut {
        Shut::Network(error)
    }
}

/// A stream to a server that has answered the first packet.
pub struct Door {
    line: Line,
    /// What the driver sends first goes no further: the header and the rest of one packet.
    swallowed: Option<Vec<u8>>,
    /// The server's answer to the first packet, which the driver has not read yet.
    answer: Vec<u8>,
}

enum Line {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<Wrapped>>),
}

impl Door {
    /// Exchanges the first packets and encrypts as the mode demands.
    pub async fn open(mut tcp: TcpStream, host: &str, mode: Mode, settings: Option<Arc<ClientConfig>>) -> Result<Door, Shut> {
        let wanted = if mode == Mode::Disable { NOT_SUPPORTED } else { ON };
        tcp.write_all(&prelogin(wanted)).await?;
        let mut answer = packet(&mut tcp).await?;
        let place = encryption(&answer).ok_or_else(|| malformed("its first answer says nothing about encryption"))?;
        let said = answer.get(place).copied().unwrap_or(NOT_SUPPORTED);
        if let Some(byte) = answer.get_mut(place) {
            *byte = NOT_SUPPORTED;
        }
        let line = match (said, settings) {
            (ON | REQUIRED, Some(settings)) => {
                let name = ServerName::try_from(host.to_string()).map_err(|e| Shut::Encryption(e.to_string()))?;
                let mut stream = TlsConnector::from(settings)
                    .connect(name, Wrapped { tcp, wraps: true, left: 0, header: vec![], out: vec![] })
                    .await
                    .map_err(|e| Shut::Encryption(e.to_string()))?;
                stream.get_mut().0.wraps = false;
                Line::Encrypted(Box::new(stream))
            }
            (ON | REQUIRED, None) => return Err(Shut::Encryption("the server demands encryption".to_string())),
            _ if matches!(mode, Mode::Disable | Mode::Prefer) => Line::Plain(tcp),
            _ => return Err(Shut::Encryption("the server does not encrypt".to_string())),
        };
        Ok(Door { line, swallowed: Some(vec![]), answer })
    }

    pub fn encrypted(&self) -> bool {
        matches!(self.line, Line::Encrypted(_))
    }
}

/// Makes the first packet.
fn prelogin(encryption: u8) -> Vec<u8> {
    let version = [0, 1, 0, 0, 0, 0];
    let options: [(u8, &[u8]); 5] = [(0, &version), (1, &[encryption]), (2, &[0]), (3, &[0; 4]), (4, &[0])];
    let mut head = vec![];
    let mut data: Vec<u8> = vec![];
    for (number, value) in options {
        let place = (options.len() * 5 + 1 + data.len()) as u16;
        head.push(number);
        head.extend(place.to_be_bytes());
        head.extend((value.len() as u16).to_be_bytes());
        data.extend(value);
    }
    head.push(0xff);
    head.extend(data);
    framed(&head)
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut out = vec![PRELOGIN, 1];
    out.extend(((payload.len() + HEADER) as u16).to_be_bytes());
    out.extend([0, 0, 1, 0]);
    out.extend(payload);
    out
}

/// Reads one packet, with its header.
async fn packet(tcp: &mut TcpStream) -> Result<Vec<u8>, Shut> {
    let mut packet = vec![0; HEADER];
    tcp.read_exact(&mut packet).await?;
    if packet.first() != Some(&RESPONSE) {
        return Err(malformed("it does not speak TDS"));
    }
    let length = length(&packet).filter(|n| *n >= HEADER).ok_or_else(|| malformed("its first packet is too short"))?;
    packet.resize(length, 0);
    tcp.read_exact(packet.get_mut(HEADER..).unwrap_or(&mut [])).await?;
    Ok(packet)
}

/// The length of a packet, as its header says it.
fn length(packet: &[u8]) -> Option<usize> {
    packet.get(2..4)?.try_into().ok().map(|bytes| usize::from(u16::from_be_bytes(bytes)))
}

/// Finds the place of the byte about encryption in an answer.
fn encryption(answer: &[u8]) -> Option<usize> {
    let mut options = answer.get(HEADER..)?.chunks_exact(5);
    options.find_map(|option| match option {
        [1, high, low, ..] => Some(HEADER + usize::from(u16::from_be_bytes([*high, *low]))),
        _ => None,
    })
}

fn malformed(why: &str) -> Shut {
    Shut::Network(io::Error::new(io::ErrorKind::InvalidData, why))
}

impl AsyncRead for Door {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.answer.is_empty() {
            let count = self.answer.len().min(out.remaining());
            let part: Vec<u8> = self.answer.drain(..count).collect();
            out.put_slice(&part);
            return Poll::Ready(Ok(()));
        }
        match &mut self.line {
            Line::Plain(tcp) => Pin::new(tcp).poll_read(cx, out),
            Line::Encrypted(tls) => Pin::new(tls).poll_read(cx, out),
        }
    }
}

impl AsyncWrite for Door {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(swallowed) = &mut self.swallowed {
            let wanted = length(swallowed).unwrap_or(HEADER).max(HEADER);
            let count = bytes.len().min(wanted.saturating_sub(swallowed.len()));
            swallowed.extend_from_slice(bytes.get(..count).unwrap_or(&[]));
            if swallowed.len() >= HEADER && Some(swallowed.len()) == length(swallowed) {
                self.swallowed = None;
            }
            return Poll::Ready(Ok(count));
        }
        match &mut self.line {
            Line::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Line::Encrypted(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.line {
            Line::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Line::Encrypted(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.line {
            Line::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Line::Encrypted(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

/// A connection whose bytes travel in packets of the protocol for as long as the handshake lasts.
struct Wrapped {
    tcp: TcpStream,
    wraps: bool,
    /// What is left of the packet that is being read.
    left: usize,
    /// What has been read of a packet's header.
    header: Vec<u8>,
    /// What waits to be sent.
    out: Vec<u8>,
}

impl AsyncRead for Wrapped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.wraps {
            return Pin::new(&mut self.tcp).poll_read(cx, out);
        }
        while self.left == 0 {
            let mut bytes = [0; HEADER];
            let mut part = ReadBuf::new(bytes.get_mut(self.header.len()..).unwrap_or(&mut []));
            ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut part))?;
            if part.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            let filled = part.filled().to_vec();
            self.header.extend(filled);
            if self.header.len() == HEADER {
                self.left = length(&self.header).unwrap_or(0).saturating_sub(HEADER);
                self.header.clear();
            }
        }
        let mut part = out.take(self.left);
        ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut part))?;
        let count = part.filled().len();
        // What was read into the part lies where `out` goes on, and is initialized.
        let read = part.filled().to_vec();
        out.put_slice(&read);
        self.left -= count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wrapped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.wraps {
            let packet = framed(bytes.get(..bytes.len().min(4_000)).unwrap_or(&[]));
            self.out.extend(&packet);
            return Poll::Ready(Ok(packet.len() - HEADER));
        }
        if !self.out.is_empty() {
            ready!(self.as_mut().poll_flush(cx))?;
        }
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.out.is_empty() {
            let sent = ready!(Pin::new(&mut this.tcp).poll_write(cx, &this.out))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.out.drain(..sent);
        }
        Pin::new(&mut this.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
