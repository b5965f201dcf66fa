//! `rollback.sql`.
use crate::emit::Script;
use std::io::{self, Write};
pub fn write(_: &Script, _: &mut dyn Write) -> io::Result<()> {
    Ok(())
}
