//! Foreign keys that cannot wait for the end of the transaction, because T-SQL has no deferred constraints.
//!
//! In: groups of tables that refer to each other, or to themselves. Out: batches that set those foreign keys aside while rows are merged,
//! and check them, with every row, before the commit; those that were not checked before are only switched on again. Where there are
//! none, nothing is altered, and no right to alter is needed. Does not know about rows.

use super::object_id;
use crate::emit::merge::Plan;

/// Sets aside the enabled foreign keys within each group.
pub fn suspend<'a>(groups: impl Iterator<Item = &'a [Plan<'a>]>) -> String {
    let within: Vec<String> = groups
        .map(|group| {
            let ids: Vec<String> = group.iter().map(|p| object_id(p.table)).collect();
            let ids = ids.join(", ");
            format!("(f.parent_object_id IN ({ids}) AND f.referenced_object_id IN ({ids}))")
        })
        .collect();
    format!(
        "DROP TABLE IF EXISTS #pipe_cycle;
CREATE TABLE #pipe_cycle (relation nvarchar(520) NOT NULL, name nvarchar(260) NOT NULL, is_trusted bit NOT NULL);
INSERT INTO #pipe_cycle (relation, name, is_trusted)
SELECT CONCAT(QUOTENAME(OBJECT_SCHEMA_NAME(f.parent_object_id)), N'.', QUOTENAME(OBJECT_NAME(f.parent_object_id))),
  QUOTENAME(f.name), CASE WHEN f.is_not_trusted = 0 THEN 1 ELSE 0 END
FROM sys.foreign_keys AS f
WHERE f.is_disabled = 0 AND ({});
DECLARE @sql nvarchar(max);
SELECT @sql = STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'ALTER TABLE ', relation, N' NOCHECK CONSTRAINT ', name, N';')), N' ')
FROM #pipe_cycle;
IF @sql IS NOT NULL EXEC sys.sp_executesql @sql;
",
        within.join("\n  OR ")
    )
}

/// Checks them all and switches them on again.
pub const RESUME: &str = "DECLARE @sql nvarchar(max);
SELECT @sql = STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'ALTER TABLE ', relation, N' WITH ',
  CASE WHEN is_trusted = 1 THEN N'CHECK' ELSE N'NOCHECK' END, N' CHECK CONSTRAINT ', name, N';')), N' ')
FROM #pipe_cycle;
IF @sql IS NOT NULL EXEC sys.sp_executesql @sql;
";
