//! SHA-256 of files and texts, in hexadecimal digits.
//!
//! In: bytes, all at once, as they are written, or from a reader. Out: 64 digits, or the first of them where a short name is wanted.
//! Does not know what is hashed, or why.

use std::io::{self, Read, Write};

use sha2::Sha256;

/// How much of a reader is taken at a time.
const CHUNK: usize = 1 << 20;

/// Bytes that are hashed as they come.
#[derive(Clone, Default)]
pub struct Digest(Sha256);

impl Digest {
    pub fn add(&mut self, bytes: impl AsRef<[u8]>) {
        sha2::Digest::update(&mut self.0, bytes);
    }

    /// Adds all that a reader has.
    pub fn add_all(&mut self, mut reader: impl Read) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            match reader.read(&mut chunk)? {
                0 => return Ok(()),
                read => self.add(chunk.get(..read).unwrap_or(&[])),
            }
        }
    }

    /// Returns all digits.
    pub fn digits(self) -> String {
        sha2::Digest::finalize(self.0).iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Returns the first `count` digits.
    pub fn short(self, count: usize) -> String {
        let mut digits = self.digits();
        digits.truncate(count);
        digits
    }
}

impl Write for Digest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hashes some bytes.
pub fn of(bytes: impl AsRef<[u8]>) -> Digest {
    let mut digest = Digest::default();
    digest.add(bytes);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of FIPS 180-2, appendix B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn bytes_give_one_digest_however_they_come() {
        let mut parts = Digest::default();
        parts.add_all(&b"ab"[..]).unwrap();
        parts.write_all(b"c").unwrap();
        assert_eq!(parts.digits(), ABC);
        assert_eq!(of("abc").short(8), &ABC[..8]);
    }
}
