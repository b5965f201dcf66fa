//! A script of batches, each of which does nothing unless the one before it has ended.
//!
//! An error rolls the transaction back (XACT_ABORT), but tools go on with the next batch: so each batch first looks whether the
//! transaction is still open, and whether the batch before it was done, which also catches those that failed before they began. If not,
//! NOEXEC is set: what follows is read but not executed, until the last lines.
//! Sources: Transact-SQL reference, SET XACT_ABORT, SET NOEXEC, THROW, and the `sqlcmd` utility (GO).
//! Does not know what the batches do.

use super::text;
use crate::emit::load::File;

/// Settings that the statements rely on; `sqlcmd` has other defaults than its siblings.
const SETTINGS: &str = "SET NOEXEC OFF;
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
const ENCODING: &str = "IF UNICODE(N'é') <> 233
BEGIN
  RAISERROR(N'this script is UTF-8 but was read as something else: run sqlcmd with -f 65001', 16, 1);
  SET NOEXEC ON;
END;
";

/// Begins the transaction.
const BEGIN: &str = "IF @@TRANCOUNT > 0
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

/// The end of a transaction: what is left of a failed one is undone and said, and the session works again.
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

/// What a view, which keeps them, relies on.
const SETTINGS_OF_VIEWS: &str = "SET ANSI_NULLS ON;
SET QUOTED_IDENTIFIER ON;
GO
";

/// The settings and, where something changes, the beginning of the transaction.
pub fn begin(file: File) -> String {
    match file {
        File::Deploy | File::Rollback | File::Preview => format!("{SETTINGS}{ENCODING}{BEGIN}"),
        File::Verify => format!("{SETTINGS}{ENCODING}GO\n"),
        File::Views => SETTINGS_OF_VIEWS.to_string(),
    }
}

/// A batch under its title, behind `done` others.
pub fn batch(done: u32, title: &str, sql: &str) -> String {
    format!("\n{}{}{sql}UPDATE #pipe_run SET done = {};\nGO\n", text::comment(title), guard(done), done + 1)
}

/// The end: the last statements and the commit, where there is a transaction.
pub fn end(file: File, done: u32, sql: &str) -> String {
    match file {
        // Whoever plays a preview leaves its COMMIT out.
        File::Deploy | File::Rollback | File::Preview => {
            format!("\n{}{}{sql}COMMIT TRANSACTION;\nGO\n{END}", text::comment("All is done, or nothing."), guard(done))
        }
        File::Verify => "SET NOEXEC OFF;\nGO\n".to_string(),
        File::Views => String::new(),
    }
}

fn guard(done: u32) -> String {
    format!("IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = {done}) SET NOEXEC ON;\n")
}
