//! A script of batches, each of which does nothing unless the one before it has ended.
//!
//! An error rolls the transaction back (XACT_ABORT), but tools go on with the next batch: so each batch first looks whether the
//! transaction is still open, and whether the batch before it was done, which also catches those that failed before they began. If not,
//! NOEXEC is set: what follows is read but not executed, until the last lines.
//! Does not know what the batches do.

use std::io::{self, Write};

use super::text;

/// Settings that the statements rely on; `sqlcmd` has other defaults than its siblings.
pub const SETTINGS: &str = "SET NOEXEC OFF;
SET NOCOUNT ON;
SET XACT_ABORT ON;
SET IMPLICIT_TRANSACTIONS OFF;
SET QUOTED_IDENTIFIER ON;
SET ANSI_NULLS ON;
SET ANSI_PADDING ON;
SET ANSI_WARNINGS ON;
SET ARITHABORT ON;
SET CONCAT_NULL_YIELDS_NULL ON;
SET NUMERIC_ROUNDABORT OFF;
SET DATEFORMAT ymd;
SET ROWCOUNT 0;
GO
";

/// Stops before anything is done where the tool reads the file in another encoding.
pub const ENCODING: &str = "IF UNICODE(N'é') <> 233
BEGIN
  RAISERROR(N'this script is UTF-8 but was read as something else: run sqlcmd with -f 65001', 16, 1);
  SET NOEXEC ON;
END;
";

/// Begins the transaction.
pub const BEGIN: &str = "IF @@TRANCOUNT > 0
BEGIN
  RAISERROR(N'this script opens its own transaction: run it outside of any other', 16, 1);
  SET NOEXEC ON;
END;
GO
DROP TABLE IF EXISTS #pipe_run;
CREATE TABLE #pipe_run (done int NOT NULL);
INSERT INTO #pipe_run (done) VALUES (0);
BEGIN TRANSACTION;
GO
";

/// The end of every script: what is left of a failed one is undone and said, and the session works again.
const END: &str = "SET NOEXEC OFF;
GO
IF @@TRANCOUNT > 0 AND OBJECT_ID(N'tempdb..#pipe_run') IS NOT NULL
BEGIN
  ROLLBACK TRANSACTION;
  RAISERROR(N'a batch of this script failed: nothing was changed', 16, 1);
END;
DROP TABLE IF EXISTS #pipe_run;
GO
";

/// Numbers the batches of a transaction while they are written.
pub struct Batches<'a> {
    out: &'a mut dyn Write,
    done: u32,
}

impl<'a> Batches<'a> {
    /// Writes the settings and the beginning of the transaction.
    pub fn begin(out: &'a mut dyn Write) -> io::Result<Batches<'a>> {
        write!(out, "{SETTINGS}{ENCODING}{BEGIN}")?;
        Ok(Batches { out, done: 0 })
    }

    /// Writes a batch under its title; nothing if there are no statements.
    pub fn batch(&mut self, title: &str, sql: &str) -> io::Result<()> {
        if sql.is_empty() {
            return Ok(());
        }
        write!(self.out, "\n{}{}{sql}", text::comment(title), self.guard())?;
        self.done += 1;
        write!(self.out, "UPDATE #pipe_run SET done = {};\nGO\n", self.done)
    }

    /// Lets batches in between be written that guard themselves.
    pub fn between(&mut self) -> &mut dyn Write {
        self.out
    }

    /// Commits, after the last statements.
    pub fn end(self, sql: &str) -> io::Result<()> {
        write!(self.out, "\n{}{}{sql}COMMIT TRANSACTION;\nGO\n{END}", text::comment("All is done, or nothing."), self.guard())
    }

    fn guard(&self) -> String {
        format!("IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = {}) SET NOEXEC ON;\n", self.done)
    }
}
