-- pipeline azure_sql_modes, by pipe VERSION
-- run      HASH
-- target   inline
-- spec     sha256 HASH
-- source   raw, sha256 HASH
-- table    dbo.log: insert, 2 rows
-- table    dbo.person: upsert, 2 rows
-- table    dbo.badge: append, 2 rows
-- table    dbo.setting: replace, 2 rows
--
-- Brings back what was there before deploy.sql of this run, unless it has changed since.
-- Run with: sqlcmd -b -f 65001 -i rollback.sql, or in Azure Data Studio or SSMS

SET NOEXEC OFF;
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
IF UNICODE(N'é') <> 233
BEGIN
  RAISERROR(N'this script is UTF-8 but was read as something else: run sqlcmd with -f 65001', 16, 1);
  SET NOEXEC ON;
END;
IF @@TRANCOUNT > 0
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

-- The deployment was here and can be undone.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 0) SET NOEXEC ON;
DECLARE @message nvarchar(2048);
IF OBJECT_ID(N'[dbo].[pipe_undo_HASH]') IS NULL
  THROW 50007, N'nothing to roll back: run HASH was not deployed here, or changed nothing, or was rolled back already', 1;
UPDATE #pipe_run SET done = 1;
GO

-- Nothing stands in its way.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 1) SET NOEXEC ON;
DECLARE @message nvarchar(2048);
SELECT TOP (1) @message = CONCAT(N'this deployment cannot be rolled back: ', REPLACE(problem, N'%', N'%%')) FROM [dbo].[pipe_undo_HASH] ORDER BY number;
IF @message IS NOT NULL THROW 50008, @message, 1;
UPDATE #pipe_run SET done = 2;
GO

-- Every row of dbo.person is as the deployment left it.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 2) SET NOEXEC ON;
DECLARE @found bigint, @message nvarchar(2048);
SELECT @found = COUNT_BIG(*) FROM [dbo].[pipe_undo_HASH_2_after] AS k
WHERE NOT EXISTS (SELECT 1 FROM [dbo].[person] AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.[id] = k.[id] AND HASHBYTES('SHA2_256', CONVERT(nvarchar(max), (SELECT t.* FOR XML RAW, BINARY BASE64))) = k.pipe_left);
IF @found <> 0
BEGIN
  SET @message = CONCAT(N'table dbo.person: rows that were changed or deleted since the deployment, so that nothing was rolled back: ', @found);
  THROW 50005, @message, 1;
END;
UPDATE #pipe_run SET done = 3;
GO

-- Every row of dbo.badge is as the deployment left it.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 3) SET NOEXEC ON;
DECLARE @found bigint, @message nvarchar(2048);
SELECT @found = COUNT_BIG(*) FROM [dbo].[pipe_undo_HASH_3_after] AS k
WHERE NOT EXISTS (SELECT 1 FROM [dbo].[badge] AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.[person_id] = k.[person_id] AND t.[code] = k.[code] AND HASHBYTES('SHA2_256', CONVERT(nvarchar(max), (SELECT t.* FOR XML RAW, BINARY BASE64))) = k.pipe_left);
IF @found <> 0
BEGIN
  SET @message = CONCAT(N'table dbo.badge: rows that were changed or deleted since the deployment, so that nothing was rolled back: ', @found);
  THROW 50005, @message, 1;
END;
UPDATE #pipe_run SET done = 4;
GO

-- Every row of dbo.setting is as the deployment left it.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 4) SET NOEXEC ON;
DECLARE @found bigint, @message nvarchar(2048);
SELECT @found = COUNT_BIG(*) FROM [dbo].[pipe_undo_HASH_4_after] AS k
WHERE NOT EXISTS (SELECT 1 FROM [dbo].[setting] AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.[tenant] = k.[tenant] AND t.[id] = k.[id] AND HASHBYTES('SHA2_256', CONVERT(nvarchar(max), (SELECT t.* FOR XML RAW, BINARY BASE64))) = k.pipe_left);
IF @found <> 0
BEGIN
  SET @message = CONCAT(N'table dbo.setting: rows that were changed or deleted since the deployment, so that nothing was rolled back: ', @found);
  THROW 50005, @message, 1;
END;
SELECT @found = COUNT_BIG(*) FROM [dbo].[pipe_undo_HASH_4_before] AS k
INNER JOIN [dbo].[setting] AS t WITH (UPDLOCK, HOLDLOCK) ON t.[tenant] = k.[tenant] AND t.[id] = k.[id]
WHERE k.pipe_action = N'd';
IF @found <> 0
BEGIN
  SET @message = CONCAT(N'table dbo.setting: rows that came since the deployment where it had deleted some, so that nothing was rolled back: ', @found);
  THROW 50005, @message, 1;
END;
UPDATE #pipe_run SET done = 5;
GO

-- Nobody refers to a row of dbo.person that goes.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 5) SET NOEXEC ON;
DECLARE @sql nvarchar(max);
WITH acting AS (
  SELECT f.object_id, CONCAT(QUOTENAME(OBJECT_SCHEMA_NAME(f.parent_object_id)), N'.', QUOTENAME(OBJECT_NAME(f.parent_object_id))) AS child,
    (SELECT STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'c.', QUOTENAME(COL_NAME(x.parent_object_id, x.parent_column_id)), N' = t.', QUOTENAME(COL_NAME(x.referenced_object_id, x.referenced_column_id)))), N' AND ')
     FROM sys.foreign_key_columns AS x WHERE x.constraint_object_id = f.object_id) AS refers
  FROM sys.foreign_keys AS f
  WHERE f.is_disabled = 0 AND f.delete_referential_action <> 0 AND f.referenced_object_id = OBJECT_ID(N'[dbo].[person]') AND f.parent_object_id NOT IN (OBJECT_ID(N'[dbo].[log]'), OBJECT_ID(N'[dbo].[person]'), OBJECT_ID(N'[dbo].[badge]'), OBJECT_ID(N'[dbo].[setting]'))
)
SELECT @sql = STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'IF EXISTS (SELECT 1 FROM ', child, N' AS c INNER JOIN ', N'[dbo].[person]', N' AS t ON ', refers, N' INNER JOIN ', N'[dbo].[pipe_undo_HASH_2_after]', N' AS k ON ', N't.[id] = k.[id]',
  N' WHERE k.pipe_action = N''i'') THROW 50006, N''rows of another table refer to rows that the deployment brought: nothing was rolled back'', 1;')), N' ')
FROM acting;
IF @sql IS NOT NULL EXEC sys.sp_executesql @sql;
UPDATE #pipe_run SET done = 6;
GO

-- Nobody refers to a row of dbo.badge that goes.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 6) SET NOEXEC ON;
DECLARE @sql nvarchar(max);
WITH acting AS (
  SELECT f.object_id, CONCAT(QUOTENAME(OBJECT_SCHEMA_NAME(f.parent_object_id)), N'.', QUOTENAME(OBJECT_NAME(f.parent_object_id))) AS child,
    (SELECT STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'c.', QUOTENAME(COL_NAME(x.parent_object_id, x.parent_column_id)), N' = t.', QUOTENAME(COL_NAME(x.referenced_object_id, x.referenced_column_id)))), N' AND ')
     FROM sys.foreign_key_columns AS x WHERE x.constraint_object_id = f.object_id) AS refers
  FROM sys.foreign_keys AS f
  WHERE f.is_disabled = 0 AND f.delete_referential_action <> 0 AND f.referenced_object_id = OBJECT_ID(N'[dbo].[badge]') AND f.parent_object_id NOT IN (OBJECT_ID(N'[dbo].[log]'), OBJECT_ID(N'[dbo].[person]'), OBJECT_ID(N'[dbo].[badge]'), OBJECT_ID(N'[dbo].[setting]'))
)
SELECT @sql = STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'IF EXISTS (SELECT 1 FROM ', child, N' AS c INNER JOIN ', N'[dbo].[badge]', N' AS t ON ', refers, N' INNER JOIN ', N'[dbo].[pipe_undo_HASH_3_after]', N' AS k ON ', N't.[person_id] = k.[person_id] AND t.[code] = k.[code]',
  N' WHERE k.pipe_action = N''i'') THROW 50006, N''rows of another table refer to rows that the deployment brought: nothing was rolled back'', 1;')), N' ')
FROM acting;
IF @sql IS NOT NULL EXEC sys.sp_executesql @sql;
UPDATE #pipe_run SET done = 7;
GO

-- Nobody refers to a row of dbo.setting that goes.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 7) SET NOEXEC ON;
DECLARE @sql nvarchar(max);
WITH acting AS (
  SELECT f.object_id, CONCAT(QUOTENAME(OBJECT_SCHEMA_NAME(f.parent_object_id)), N'.', QUOTENAME(OBJECT_NAME(f.parent_object_id))) AS child,
    (SELECT STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'c.', QUOTENAME(COL_NAME(x.parent_object_id, x.parent_column_id)), N' = t.', QUOTENAME(COL_NAME(x.referenced_object_id, x.referenced_column_id)))), N' AND ')
     FROM sys.foreign_key_columns AS x WHERE x.constraint_object_id = f.object_id) AS refers
  FROM sys.foreign_keys AS f
  WHERE f.is_disabled = 0 AND f.delete_referential_action <> 0 AND f.referenced_object_id = OBJECT_ID(N'[dbo].[setting]') AND f.parent_object_id NOT IN (OBJECT_ID(N'[dbo].[log]'), OBJECT_ID(N'[dbo].[person]'), OBJECT_ID(N'[dbo].[badge]'), OBJECT_ID(N'[dbo].[setting]'))
)
SELECT @sql = STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'IF EXISTS (SELECT 1 FROM ', child, N' AS c INNER JOIN ', N'[dbo].[setting]', N' AS t ON ', refers, N' INNER JOIN ', N'[dbo].[pipe_undo_HASH_4_after]', N' AS k ON ', N't.[tenant] = k.[tenant] AND t.[id] = k.[id]',
  N' WHERE k.pipe_action = N''i'') THROW 50006, N''rows of another table refer to rows that the deployment brought: nothing was rolled back'', 1;')), N' ')
FROM acting;
IF @sql IS NOT NULL EXEC sys.sp_executesql @sql;
UPDATE #pipe_run SET done = 8;
GO

-- Triggers of the target wait.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 8) SET NOEXEC ON;
DROP TABLE IF EXISTS #pipe_triggers;
CREATE TABLE #pipe_triggers (relation nvarchar(520) NOT NULL, name nvarchar(260) NOT NULL);
INSERT INTO #pipe_triggers (relation, name)
SELECT CONCAT(QUOTENAME(OBJECT_SCHEMA_NAME(g.parent_id)), N'.', QUOTENAME(OBJECT_NAME(g.parent_id))), QUOTENAME(g.name)
FROM sys.triggers AS g
WHERE g.is_disabled = 0 AND g.parent_id IN (OBJECT_ID(N'[dbo].[log]'), OBJECT_ID(N'[dbo].[person]'), OBJECT_ID(N'[dbo].[badge]'), OBJECT_ID(N'[dbo].[setting]'));
DECLARE @sql nvarchar(max);
SELECT @sql = STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'ALTER TABLE ', relation, N' DISABLE TRIGGER ', name, N';')), N' ')
FROM #pipe_triggers;
IF @sql IS NOT NULL EXEC sys.sp_executesql @sql;
UPDATE #pipe_run SET done = 9;
GO

-- Foreign keys among these tables are checked once all rows are there.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 9) SET NOEXEC ON;
DROP TABLE IF EXISTS #pipe_cycle;
CREATE TABLE #pipe_cycle (relation nvarchar(520) NOT NULL, name nvarchar(260) NOT NULL, is_trusted bit NOT NULL);
INSERT INTO #pipe_cycle (relation, name, is_trusted)
SELECT CONCAT(QUOTENAME(OBJECT_SCHEMA_NAME(f.parent_object_id)), N'.', QUOTENAME(OBJECT_NAME(f.parent_object_id))),
  QUOTENAME(f.name), CASE WHEN f.is_not_trusted = 0 THEN 1 ELSE 0 END
FROM sys.foreign_keys AS f
WHERE f.is_disabled = 0 AND ((f.parent_object_id IN (OBJECT_ID(N'[dbo].[log]'), OBJECT_ID(N'[dbo].[person]'), OBJECT_ID(N'[dbo].[badge]'), OBJECT_ID(N'[dbo].[setting]')) AND f.referenced_object_id IN (OBJECT_ID(N'[dbo].[log]'), OBJECT_ID(N'[dbo].[person]'), OBJECT_ID(N'[dbo].[badge]'), OBJECT_ID(N'[dbo].[setting]'))));
DECLARE @sql nvarchar(max);
SELECT @sql = STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'ALTER TABLE ', relation, N' NOCHECK CONSTRAINT ', name, N';')), N' ')
FROM #pipe_cycle;
IF @sql IS NOT NULL EXEC sys.sp_executesql @sql;
UPDATE #pipe_run SET done = 10;
GO

-- What came into dbo.setting goes.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 10) SET NOEXEC ON;
DELETE t
FROM [dbo].[setting] AS t
INNER JOIN [dbo].[pipe_undo_HASH_4_after] AS k ON t.[tenant] = k.[tenant] AND t.[id] = k.[id]
WHERE k.pipe_action = N'i';
UPDATE #pipe_run SET done = 11;
GO

-- What came into dbo.badge goes.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 11) SET NOEXEC ON;
DELETE t
FROM [dbo].[badge] AS t
INNER JOIN [dbo].[pipe_undo_HASH_3_after] AS k ON t.[person_id] = k.[person_id] AND t.[code] = k.[code]
WHERE k.pipe_action = N'i';
UPDATE #pipe_run SET done = 12;
GO

-- What came into dbo.person goes.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 12) SET NOEXEC ON;
DELETE t
FROM [dbo].[person] AS t
INNER JOIN [dbo].[pipe_undo_HASH_2_after] AS k ON t.[id] = k.[id]
WHERE k.pipe_action = N'i';
UPDATE #pipe_run SET done = 13;
GO

-- What was in dbo.person comes back.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 13) SET NOEXEC ON;
DECLARE @found bigint, @message nvarchar(2048);
UPDATE t
SET t.[name] = k.[name],
    t.[share] = k.[share],
    t.[boss] = k.[boss],
    t.[version] = k.[version]
FROM [dbo].[person] AS t
INNER JOIN [dbo].[pipe_undo_HASH_2_before] AS k ON t.[id] = k.[id]
WHERE k.pipe_action = N'u';
SELECT @found = COUNT_BIG(*) FROM [dbo].[pipe_undo_HASH_2_before] AS k
WHERE NOT EXISTS (
  SELECT 1 FROM [dbo].[person] AS t
  WHERE t.[id] = k.[id] AND NOT EXISTS (SELECT k.[id], CONVERT(nvarchar(max), k.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(k.[name]), k.[born], k.[share], k.[boss], k.[version] EXCEPT SELECT t.[id], CONVERT(nvarchar(max), t.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(t.[name]), t.[born], t.[share], t.[boss], t.[version])
);
IF @found <> 0
BEGIN
  SET @message = CONCAT(N'table dbo.person: rows that would not be as they were before the deployment, so that nothing was rolled back: ', @found);
  THROW 50005, @message, 1;
END;
UPDATE #pipe_run SET done = 14;
GO

-- What was in dbo.setting comes back.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 14) SET NOEXEC ON;
DECLARE @found bigint, @message nvarchar(2048);
UPDATE t
SET t.[tenant] = k.[tenant],
    t.[name] = k.[name]
FROM [dbo].[setting] AS t
INNER JOIN [dbo].[pipe_undo_HASH_4_before] AS k ON t.[tenant] = k.[tenant] AND t.[id] = k.[id]
WHERE k.pipe_action = N'u';
DECLARE @columns nvarchar(max), @sql nvarchar(max);
SELECT @columns = STRING_AGG(CONVERT(nvarchar(max), QUOTENAME(c.name)), N', ') WITHIN GROUP (ORDER BY c.column_id)
FROM sys.columns AS c
WHERE c.object_id = OBJECT_ID(N'[dbo].[setting]') AND c.is_computed = 0 AND c.generated_always_type = 0 AND TYPE_NAME(c.system_type_id) <> N'timestamp';
SET @sql = CONCAT(N'INSERT INTO ', N'[dbo].[setting]', N' (', @columns, N') SELECT ', @columns, N' FROM ', N'[dbo].[pipe_undo_HASH_4_before]', N' WHERE pipe_action = N''d'';');
IF EXISTS (SELECT 1 FROM sys.identity_columns WHERE object_id = OBJECT_ID(N'[dbo].[setting]'))
  SET @sql = CONCAT(N'SET IDENTITY_INSERT ', N'[dbo].[setting]', N' ON; ', @sql, N' SET IDENTITY_INSERT ', N'[dbo].[setting]', N' OFF;');
EXEC sys.sp_executesql @sql;
SELECT @found = COUNT_BIG(*) FROM [dbo].[pipe_undo_HASH_4_before] AS k
WHERE NOT EXISTS (
  SELECT 1 FROM [dbo].[setting] AS t
  WHERE t.[tenant] = k.[tenant] AND t.[id] = k.[id] AND NOT EXISTS (SELECT CONVERT(nvarchar(max), k.[tenant], 121) COLLATE Latin1_General_BIN2, DATALENGTH(k.[tenant]), k.[id], CONVERT(nvarchar(max), k.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(k.[name]) EXCEPT SELECT CONVERT(nvarchar(max), t.[tenant], 121) COLLATE Latin1_General_BIN2, DATALENGTH(t.[tenant]), t.[id], CONVERT(nvarchar(max), t.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(t.[name]))
);
IF @found <> 0
BEGIN
  SET @message = CONCAT(N'table dbo.setting: rows that would not be as they were before the deployment, so that nothing was rolled back: ', @found);
  THROW 50005, @message, 1;
END;
UPDATE #pipe_run SET done = 15;
GO

-- The foreign keys that waited are checked now.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 15) SET NOEXEC ON;
DECLARE @sql nvarchar(max);
SELECT @sql = STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'ALTER TABLE ', relation, N' WITH ',
  CASE WHEN is_trusted = 1 THEN N'CHECK' ELSE N'NOCHECK' END, N' CHECK CONSTRAINT ', name, N';')), N' ')
FROM #pipe_cycle;
IF @sql IS NOT NULL EXEC sys.sp_executesql @sql;
UPDATE #pipe_run SET done = 16;
GO

-- Triggers work again.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 16) SET NOEXEC ON;
DECLARE @sql nvarchar(max);
SELECT @sql = STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'ALTER TABLE ', relation, N' ENABLE TRIGGER ', name, N';')), N' ')
FROM #pipe_triggers;
IF @sql IS NOT NULL EXEC sys.sp_executesql @sql;
UPDATE #pipe_run SET done = 17;
GO

-- All is done, or nothing.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 17) SET NOEXEC ON;
DROP TABLE [dbo].[pipe_undo_HASH], [dbo].[pipe_undo_HASH_2_before], [dbo].[pipe_undo_HASH_2_after], [dbo].[pipe_undo_HASH_3_after], [dbo].[pipe_undo_HASH_4_before], [dbo].[pipe_undo_HASH_4_after];
DROP TABLE #pipe_cycle, #pipe_triggers;
COMMIT TRANSACTION;
GO
SET NOEXEC OFF;
GO
IF @@TRANCOUNT > 0 AND OBJECT_ID(N'tempdb..#pipe_run') IS NOT NULL
BEGIN
  ROLLBACK TRANSACTION;
  RAISERROR(N'a batch of this script failed: nothing was changed', 16, 1);
END;
DROP TABLE IF EXISTS #pipe_run;
GO
