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
-- Run with: sqlcmd -b -f 65001 -i deploy.sql, or in Azure Data Studio or SSMS

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

-- The target has every table and column that is loaded.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 0) SET NOEXEC ON;
DECLARE @problems nvarchar(max), @message nvarchar(2048);
WITH wanted AS (
  SELECT v.* FROM (VALUES
    (1, 1, N'dbo.log', N'[dbo].[log]', N'id', 1, 0),
    (1, 2, N'dbo.log', N'[dbo].[log]', N'name', 1, 0),
    (2, 1, N'dbo.person', N'[dbo].[person]', N'id', 1, 0),
    (2, 2, N'dbo.person', N'[dbo].[person]', N'name', 1, 0),
    (2, 3, N'dbo.person', N'[dbo].[person]', N'born', 1, 0),
    (2, 4, N'dbo.person', N'[dbo].[person]', N'share', 1, 0),
    (2, 5, N'dbo.person', N'[dbo].[person]', N'boss', 1, 0),
    (2, 6, N'dbo.person', N'[dbo].[person]', N'version', 1, 0),
    (3, 1, N'dbo.badge', N'[dbo].[badge]', N'code', 1, 0),
    (3, 2, N'dbo.badge', N'[dbo].[badge]', N'person_id', 1, 0),
    (4, 1, N'dbo.setting', N'[dbo].[setting]', N'tenant', 1, 0),
    (4, 2, N'dbo.setting', N'[dbo].[setting]', N'id', 1, 0),
    (4, 3, N'dbo.setting', N'[dbo].[setting]', N'name', 1, 0)
  ) AS v (number, place, shown, relation, name, written, overriding)
), found AS (
  SELECT w.*, OBJECT_ID(w.relation) AS id, c.column_id, c.is_computed, c.is_identity, c.generated_always_type,
    TYPE_NAME(c.system_type_id) AS type_name
  FROM wanted AS w
  LEFT JOIN sys.columns AS c ON c.object_id = OBJECT_ID(w.relation) AND c.name = w.name
), problem AS (
  SELECT DISTINCT number, 0 AS place, CONCAT(N'table ', shown, N' does not exist') AS problem FROM found WHERE id IS NULL
  UNION ALL
  SELECT number, place, CONCAT(N'table ', shown, N' has no column ', name) FROM found WHERE id IS NOT NULL AND column_id IS NULL
  UNION ALL
  SELECT number, place, CONCAT(N'column ', name, N' of table ', shown, N' is computed by the database')
  FROM found WHERE written = 1 AND (is_computed = 1 OR generated_always_type <> 0 OR type_name = N'timestamp')
  UNION ALL
  SELECT number, place, CONCAT(N'column ', name, N' of table ', shown, N' is numbered by the database alone')
  FROM found WHERE is_identity = 1 AND written = 1 AND overriding = 0
)
SELECT @problems = STRING_AGG(CONVERT(nvarchar(max), problem), N'; ') WITHIN GROUP (ORDER BY number, place) FROM problem;
IF @problems IS NOT NULL
BEGIN
  SET @message = LEFT(CONCAT(N'the target does not fit this script: ', REPLACE(@problems, N'%', N'%%')), 2000);
  THROW 50001, @message, 1;
END;
UPDATE #pipe_run SET done = 1;
GO

-- Rows of dbo.log
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 1) SET NOEXEC ON;
DROP TABLE IF EXISTS #pipe_stage_1;
SELECT TOP (0) [id], [name]
INTO #pipe_stage_1
FROM [dbo].[log]
UNION ALL
SELECT TOP (0) [id], [name]
FROM [dbo].[log];
UPDATE #pipe_run SET done = 2;
GO
IF @@TRANCOUNT = 0 SET NOEXEC ON;
INSERT INTO #pipe_stage_1 ([id], [name]) VALUES
(1, N'o''hara'),
(2, N'two' + NCHAR(10) + N'lines $' + N'(x)');
GO

-- All rows of dbo.log are here.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 2) SET NOEXEC ON;
DECLARE @found bigint, @message nvarchar(2048);
SELECT @found = COUNT_BIG(*) FROM #pipe_stage_1;
IF @found <> 2
BEGIN
  SET @message = CONCAT(N'table dbo.log: expected 2 rows in this script, found ', @found);
  THROW 50002, @message, 1;
END;
UPDATE #pipe_run SET done = 3;
GO

-- Rows of dbo.person
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 3) SET NOEXEC ON;
DROP TABLE IF EXISTS #pipe_stage_2;
SELECT TOP (0) [id], [name], [born], [share], [boss]
INTO #pipe_stage_2
FROM [dbo].[person]
UNION ALL
SELECT TOP (0) [id], [name], [born], [share], [boss]
FROM [dbo].[person];
UPDATE #pipe_run SET done = 4;
GO
IF @@TRANCOUNT = 0 SET NOEXEC ON;
INSERT INTO #pipe_stage_2 ([id], [name], [born], [share], [boss]) VALUES
(1, N'o''hara', N'2024-02-29', 0.50, NULL),
(2, N'two' + NCHAR(10) + N'lines $' + N'(x)', NULL, NULL, 1);
GO

-- All rows of dbo.person are here.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 4) SET NOEXEC ON;
DECLARE @found bigint, @message nvarchar(2048);
SELECT @found = COUNT_BIG(*) FROM #pipe_stage_2;
IF @found <> 2
BEGIN
  SET @message = CONCAT(N'table dbo.person: expected 2 rows in this script, found ', @found);
  THROW 50002, @message, 1;
END;
UPDATE #pipe_run SET done = 5;
GO

-- Rows of dbo.badge
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 5) SET NOEXEC ON;
DROP TABLE IF EXISTS #pipe_stage_3;
SELECT TOP (0) [code], [person_id]
INTO #pipe_stage_3
FROM [dbo].[badge]
UNION ALL
SELECT TOP (0) [code], [person_id]
FROM [dbo].[badge];
UPDATE #pipe_run SET done = 6;
GO
IF @@TRANCOUNT = 0 SET NOEXEC ON;
INSERT INTO #pipe_stage_3 ([code], [person_id]) VALUES
(N'o''hara', 1),
(N'two' + NCHAR(10) + N'lines $' + N'(x)', 2);
GO

-- All rows of dbo.badge are here.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 6) SET NOEXEC ON;
DECLARE @found bigint, @message nvarchar(2048);
SELECT @found = COUNT_BIG(*) FROM #pipe_stage_3;
IF @found <> 2
BEGIN
  SET @message = CONCAT(N'table dbo.badge: expected 2 rows in this script, found ', @found);
  THROW 50002, @message, 1;
END;
UPDATE #pipe_run SET done = 7;
GO

-- Rows of dbo.setting
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 7) SET NOEXEC ON;
DROP TABLE IF EXISTS #pipe_stage_4;
SELECT TOP (0) [tenant], [id], [name]
INTO #pipe_stage_4
FROM [dbo].[setting]
UNION ALL
SELECT TOP (0) [tenant], [id], [name]
FROM [dbo].[setting];
UPDATE #pipe_run SET done = 8;
GO
IF @@TRANCOUNT = 0 SET NOEXEC ON;
INSERT INTO #pipe_stage_4 ([tenant], [id], [name]) VALUES
(N'it''s', 1, N'o''hara'),
(N'it''s', 2, N'two' + NCHAR(10) + N'lines $' + N'(x)');
GO

-- All rows of dbo.setting are here.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 8) SET NOEXEC ON;
DECLARE @found bigint, @message nvarchar(2048);
SELECT @found = COUNT_BIG(*) FROM #pipe_stage_4;
IF @found <> 2
BEGIN
  SET @message = CONCAT(N'table dbo.setting: expected 2 rows in this script, found ', @found);
  THROW 50002, @message, 1;
END;
SELECT @found = COUNT_BIG(*) FROM #pipe_stage_4 AS s WHERE NOT EXISTS (SELECT 1 WHERE s.[tenant] = N'it''s');
IF @found <> 0
BEGIN
  SET @message = CONCAT(N'table dbo.setting: expected 0 rows outside of the replaced scope, found ', @found);
  THROW 50002, @message, 1;
END;
UPDATE #pipe_run SET done = 9;
GO

-- What is only inserted into dbo.log is not there yet.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 9) SET NOEXEC ON;
DECLARE @message nvarchar(2048);
IF 2 > 0 AND NOT EXISTS (
  SELECT s.[id], CONVERT(nvarchar(max), s.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(s.[name]), ROW_NUMBER() OVER (PARTITION BY s.[id], CONVERT(nvarchar(max), s.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(s.[name]) ORDER BY (SELECT NULL)) AS pipe_copy FROM #pipe_stage_1 AS s
  EXCEPT
  SELECT t.[id], CONVERT(nvarchar(max), t.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(t.[name]), ROW_NUMBER() OVER (PARTITION BY t.[id], CONVERT(nvarchar(max), t.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(t.[name]) ORDER BY (SELECT NULL)) AS pipe_copy FROM [dbo].[log] AS t
)
BEGIN
  SET @message = N'table dbo.log: expected none of the 2 rows, found all of them: was this script run before?';
  THROW 50003, @message, 1;
END;
UPDATE #pipe_run SET done = 10;
GO

-- What is only appended to dbo.badge is either new or the same.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 10) SET NOEXEC ON;
DECLARE @found bigint, @example nvarchar(2000), @message nvarchar(2048);
SELECT @found = COUNT_BIG(*), @example = MIN(CONCAT(N'(', CONVERT(nvarchar(400), s.[person_id]), N', ', CONVERT(nvarchar(400), s.[code]), N')'))
FROM #pipe_stage_3 AS s
INNER JOIN [dbo].[badge] AS t WITH (UPDLOCK, HOLDLOCK) ON t.[person_id] = s.[person_id] AND t.[code] = s.[code]
WHERE EXISTS (
  SELECT CONVERT(nvarchar(max), s.[code], 121) COLLATE Latin1_General_BIN2, DATALENGTH(s.[code])
  EXCEPT
  SELECT CONVERT(nvarchar(max), t.[code], 121) COLLATE Latin1_General_BIN2, DATALENGTH(t.[code])
);
IF @found > 0
BEGIN
  SET @message = LEFT(CONCAT(N'table dbo.badge: rows are only appended, but ', @found, N' of them are there with other content, such as ', REPLACE(@example, N'%', N'%%')), 2000);
  THROW 50003, @message, 1;
END;
UPDATE #pipe_run SET done = 11;
GO

-- What rollback.sql needs is kept in tables of its own.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 11) SET NOEXEC ON;
IF HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'CREATE TABLE') = 0 OR HAS_PERMS_BY_NAME(N'[dbo]', 'SCHEMA', 'ALTER') = 0
  THROW 50004, N'the user may not create tables in schema dbo, where rollback.sql would find the rows as they were: have it granted, or emit the script with --no-rollback', 1;
CREATE TABLE [dbo].[pipe_undo_HASH_new] (number int NOT NULL, problem nvarchar(400) NOT NULL);
UPDATE #pipe_run SET done = 12;
GO

-- What will change or come in dbo.log
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 12) SET NOEXEC ON;
INSERT INTO [dbo].[pipe_undo_HASH_new] (number, problem) VALUES (1, N'table dbo.log has no key by which its rows could be told apart');
UPDATE #pipe_run SET done = 13;
GO

-- What will change or come in dbo.person
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 13) SET NOEXEC ON;
SELECT x.*
INTO [dbo].[pipe_undo_HASH_new_2_before]
FROM (
SELECT TOP (0) CONVERT(nchar(1), N'u') AS pipe_action, t.*
FROM [dbo].[person] AS t
UNION ALL
SELECT CONVERT(nchar(1), N'u') AS pipe_action, t.*
FROM [dbo].[person] AS t WITH (UPDLOCK, HOLDLOCK)
INNER JOIN #pipe_stage_2 AS s ON t.[id] = s.[id]
WHERE CAST(s.[id] AS int) > 0
  AND EXISTS (
  SELECT CONVERT(nvarchar(max), s.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(s.[name]), s.[share]
  EXCEPT
  SELECT CONVERT(nvarchar(max), t.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(t.[name]), t.[share]
)
) AS x;
DROP TABLE IF EXISTS #pipe_come_2;
SELECT s.[id]
INTO #pipe_come_2
FROM #pipe_stage_2 AS s
WHERE NOT EXISTS (SELECT 1 FROM [dbo].[person] AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.[id] = s.[id]);
UPDATE #pipe_run SET done = 14;
GO

-- What will change or come in dbo.badge
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 14) SET NOEXEC ON;
DROP TABLE IF EXISTS #pipe_come_3;
SELECT s.[person_id], s.[code]
INTO #pipe_come_3
FROM #pipe_stage_3 AS s
WHERE NOT EXISTS (SELECT 1 FROM [dbo].[badge] AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.[person_id] = s.[person_id] AND t.[code] = s.[code]);
UPDATE #pipe_run SET done = 15;
GO

-- What will change or come in dbo.setting
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 15) SET NOEXEC ON;
SELECT x.*
INTO [dbo].[pipe_undo_HASH_new_4_before]
FROM (
SELECT TOP (0) CONVERT(nchar(1), N'u') AS pipe_action, t.*
FROM [dbo].[setting] AS t
UNION ALL
SELECT CONVERT(nchar(1), N'd') AS pipe_action, t.*
FROM [dbo].[setting] AS t WITH (UPDLOCK, HOLDLOCK)
WHERE t.[tenant] = N'it''s'
  AND NOT EXISTS (SELECT 1 FROM #pipe_stage_4 AS s WHERE t.[tenant] = s.[tenant] AND t.[id] = s.[id])
UNION ALL
SELECT CONVERT(nchar(1), N'u') AS pipe_action, t.*
FROM [dbo].[setting] AS t WITH (UPDLOCK, HOLDLOCK)
INNER JOIN #pipe_stage_4 AS s ON t.[tenant] = s.[tenant] AND t.[id] = s.[id]
WHERE EXISTS (
  SELECT CONVERT(nvarchar(max), s.[tenant], 121) COLLATE Latin1_General_BIN2, DATALENGTH(s.[tenant]), CONVERT(nvarchar(max), s.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(s.[name])
  EXCEPT
  SELECT CONVERT(nvarchar(max), t.[tenant], 121) COLLATE Latin1_General_BIN2, DATALENGTH(t.[tenant]), CONVERT(nvarchar(max), t.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(t.[name])
)
) AS x;
IF EXISTS (SELECT 1 FROM [dbo].[pipe_undo_HASH_new_4_before] WHERE pipe_action = N'd') AND EXISTS (SELECT 1 FROM sys.foreign_keys WHERE referenced_object_id = OBJECT_ID(N'[dbo].[setting]') AND delete_referential_action <> 0 AND is_disabled = 0)
  INSERT INTO [dbo].[pipe_undo_HASH_new] (number, problem) VALUES (4, N'rows of table dbo.setting were deleted, and a foreign key may have taken others along');
DROP TABLE IF EXISTS #pipe_come_4;
SELECT s.[tenant], s.[id]
INTO #pipe_come_4
FROM #pipe_stage_4 AS s
WHERE NOT EXISTS (SELECT 1 FROM [dbo].[setting] AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.[tenant] = s.[tenant] AND t.[id] = s.[id]);
UPDATE #pipe_run SET done = 16;
GO

-- Foreign keys among tables that are loaded together are checked once all rows are there.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 16) SET NOEXEC ON;
DROP TABLE IF EXISTS #pipe_cycle;
CREATE TABLE #pipe_cycle (relation nvarchar(520) NOT NULL, name nvarchar(260) NOT NULL, is_trusted bit NOT NULL);
INSERT INTO #pipe_cycle (relation, name, is_trusted)
SELECT CONCAT(QUOTENAME(OBJECT_SCHEMA_NAME(f.parent_object_id)), N'.', QUOTENAME(OBJECT_NAME(f.parent_object_id))),
  QUOTENAME(f.name), CASE WHEN f.is_not_trusted = 0 THEN 1 ELSE 0 END
FROM sys.foreign_keys AS f
WHERE f.is_disabled = 0 AND ((f.parent_object_id IN (OBJECT_ID(N'[dbo].[log]')) AND f.referenced_object_id IN (OBJECT_ID(N'[dbo].[log]')))
  OR (f.parent_object_id IN (OBJECT_ID(N'[dbo].[person]')) AND f.referenced_object_id IN (OBJECT_ID(N'[dbo].[person]')))
  OR (f.parent_object_id IN (OBJECT_ID(N'[dbo].[badge]')) AND f.referenced_object_id IN (OBJECT_ID(N'[dbo].[badge]')))
  OR (f.parent_object_id IN (OBJECT_ID(N'[dbo].[setting]')) AND f.referenced_object_id IN (OBJECT_ID(N'[dbo].[setting]'))));
DECLARE @sql nvarchar(max);
SELECT @sql = STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'ALTER TABLE ', relation, N' NOCHECK CONSTRAINT ', name, N';')), N' ')
FROM #pipe_cycle;
IF @sql IS NOT NULL EXEC sys.sp_executesql @sql;
UPDATE #pipe_run SET done = 17;
GO

-- What the replacement of dbo.setting leaves out goes.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 17) SET NOEXEC ON;
DELETE t
FROM [dbo].[setting] AS t WITH (UPDLOCK, HOLDLOCK)
WHERE t.[tenant] = N'it''s'
  AND NOT EXISTS (SELECT 1 FROM #pipe_stage_4 AS s WHERE t.[tenant] = s.[tenant] AND t.[id] = s.[id]);
UPDATE #pipe_run SET done = 18;
GO

-- Merge dbo.log
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 18) SET NOEXEC ON;
DECLARE @found bigint, @message nvarchar(2048);
INSERT INTO [dbo].[log] ([id], [name])
SELECT s.[id], s.[name]
FROM #pipe_stage_1 AS s;
SET @found = ROWCOUNT_BIG();
IF @found <> 2
BEGIN
  SET @message = CONCAT(N'table dbo.log: expected 2 inserted rows, found ', @found);
  THROW 50002, @message, 1;
END;
UPDATE #pipe_run SET done = 19;
GO

-- Merge dbo.person
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 19) SET NOEXEC ON;
UPDATE t
SET t.[name] = s.[name],
    t.[share] = s.[share],
    t.[boss] = s.[boss],
    t.[version] = CAST(t.[version] AS int) + 1
FROM [dbo].[person] AS t WITH (UPDLOCK, HOLDLOCK)
INNER JOIN #pipe_stage_2 AS s ON t.[id] = s.[id]
WHERE CAST(s.[id] AS int) > 0
  AND EXISTS (
  SELECT CONVERT(nvarchar(max), s.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(s.[name]), s.[share]
  EXCEPT
  SELECT CONVERT(nvarchar(max), t.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(t.[name]), t.[share]
);
INSERT INTO [dbo].[person] ([id], [name], [born], [share], [boss])
SELECT s.[id], s.[name], s.[born], s.[share], s.[boss]
FROM #pipe_stage_2 AS s
WHERE NOT EXISTS (SELECT 1 FROM [dbo].[person] AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.[id] = s.[id]);
UPDATE #pipe_run SET done = 20;
GO

-- Merge dbo.badge
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 20) SET NOEXEC ON;
INSERT INTO [dbo].[badge] ([code], [person_id])
SELECT s.[code], s.[person_id]
FROM #pipe_stage_3 AS s
WHERE NOT EXISTS (SELECT 1 FROM [dbo].[badge] AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.[person_id] = s.[person_id] AND t.[code] = s.[code]);
UPDATE #pipe_run SET done = 21;
GO

-- Merge dbo.setting
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 21) SET NOEXEC ON;
UPDATE t
SET t.[tenant] = s.[tenant],
    t.[name] = s.[name]
FROM [dbo].[setting] AS t WITH (UPDLOCK, HOLDLOCK)
INNER JOIN #pipe_stage_4 AS s ON t.[tenant] = s.[tenant] AND t.[id] = s.[id]
WHERE EXISTS (
  SELECT CONVERT(nvarchar(max), s.[tenant], 121) COLLATE Latin1_General_BIN2, DATALENGTH(s.[tenant]), CONVERT(nvarchar(max), s.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(s.[name])
  EXCEPT
  SELECT CONVERT(nvarchar(max), t.[tenant], 121) COLLATE Latin1_General_BIN2, DATALENGTH(t.[tenant]), CONVERT(nvarchar(max), t.[name], 121) COLLATE Latin1_General_BIN2, DATALENGTH(t.[name])
);
INSERT INTO [dbo].[setting] ([tenant], [id], [name])
SELECT s.[tenant], s.[id], s.[name]
FROM #pipe_stage_4 AS s
WHERE NOT EXISTS (SELECT 1 FROM [dbo].[setting] AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.[tenant] = s.[tenant] AND t.[id] = s.[id]);
UPDATE #pipe_run SET done = 22;
GO

-- The foreign keys that waited are checked now.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 22) SET NOEXEC ON;
DECLARE @sql nvarchar(max);
SELECT @sql = STRING_AGG(CONVERT(nvarchar(max), CONCAT(N'ALTER TABLE ', relation, N' WITH ',
  CASE WHEN is_trusted = 1 THEN N'CHECK' ELSE N'NOCHECK' END, N' CHECK CONSTRAINT ', name, N';')), N' ')
FROM #pipe_cycle;
IF @sql IS NOT NULL EXEC sys.sp_executesql @sql;
UPDATE #pipe_run SET done = 23;
GO

-- Every row of dbo.person is in the target, once.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 23) SET NOEXEC ON;
DECLARE @found bigint, @message nvarchar(2048);
SELECT @found = COUNT_BIG(*)
FROM #pipe_stage_2 AS s
INNER JOIN [dbo].[person] AS t ON t.[id] = s.[id];
IF @found <> 2
BEGIN
  SET @message = CONCAT(N'table dbo.person: expected 2 rows with these keys after the load, found ', @found);
  THROW 50002, @message, 1;
END;
UPDATE #pipe_run SET done = 24;
GO

-- Every row of dbo.badge is in the target, once.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 24) SET NOEXEC ON;
DECLARE @found bigint, @message nvarchar(2048);
SELECT @found = COUNT_BIG(*)
FROM #pipe_stage_3 AS s
INNER JOIN [dbo].[badge] AS t ON t.[person_id] = s.[person_id] AND t.[code] = s.[code];
IF @found <> 2
BEGIN
  SET @message = CONCAT(N'table dbo.badge: expected 2 rows with these keys after the load, found ', @found);
  THROW 50002, @message, 1;
END;
UPDATE #pipe_run SET done = 25;
GO

-- Every row of dbo.setting is in the target, once.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 25) SET NOEXEC ON;
DECLARE @found bigint, @message nvarchar(2048);
SELECT @found = COUNT_BIG(*)
FROM #pipe_stage_4 AS s
INNER JOIN [dbo].[setting] AS t ON t.[tenant] = s.[tenant] AND t.[id] = s.[id];
IF @found <> 2
BEGIN
  SET @message = CONCAT(N'table dbo.setting: expected 2 rows with these keys after the load, found ', @found);
  THROW 50002, @message, 1;
END;
UPDATE #pipe_run SET done = 26;
GO

-- How rows of dbo.person were left
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 26) SET NOEXEC ON;
SELECT k.pipe_action, k.[id], HASHBYTES('SHA2_256', CONVERT(nvarchar(max), (SELECT t.* FOR XML RAW, BINARY BASE64))) AS pipe_left
INTO [dbo].[pipe_undo_HASH_new_2_after]
FROM (
  SELECT CONVERT(nchar(1), N'i') AS pipe_action, c.[id] FROM #pipe_come_2 AS c
  UNION ALL
  SELECT b.pipe_action, b.[id] FROM [dbo].[pipe_undo_HASH_new_2_before] AS b WHERE b.pipe_action = N'u'
) AS k
INNER JOIN [dbo].[person] AS t ON t.[id] = k.[id];
DROP TABLE #pipe_come_2;
UPDATE #pipe_run SET done = 27;
GO

-- How rows of dbo.badge were left
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 27) SET NOEXEC ON;
SELECT k.pipe_action, k.[person_id], k.[code], HASHBYTES('SHA2_256', CONVERT(nvarchar(max), (SELECT t.* FOR XML RAW, BINARY BASE64))) AS pipe_left
INTO [dbo].[pipe_undo_HASH_new_3_after]
FROM (
  SELECT CONVERT(nchar(1), N'i') AS pipe_action, c.[person_id], c.[code] FROM #pipe_come_3 AS c
) AS k
INNER JOIN [dbo].[badge] AS t ON t.[person_id] = k.[person_id] AND t.[code] = k.[code];
DROP TABLE #pipe_come_3;
UPDATE #pipe_run SET done = 28;
GO

-- How rows of dbo.setting were left
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 28) SET NOEXEC ON;
SELECT k.pipe_action, k.[tenant], k.[id], HASHBYTES('SHA2_256', CONVERT(nvarchar(max), (SELECT t.* FOR XML RAW, BINARY BASE64))) AS pipe_left
INTO [dbo].[pipe_undo_HASH_new_4_after]
FROM (
  SELECT CONVERT(nchar(1), N'i') AS pipe_action, c.[tenant], c.[id] FROM #pipe_come_4 AS c
  UNION ALL
  SELECT b.pipe_action, b.[tenant], b.[id] FROM [dbo].[pipe_undo_HASH_new_4_before] AS b WHERE b.pipe_action = N'u'
) AS k
INNER JOIN [dbo].[setting] AS t ON t.[tenant] = k.[tenant] AND t.[id] = k.[id];
DROP TABLE #pipe_come_4;
UPDATE #pipe_run SET done = 29;
GO

-- A deployment that changed nothing keeps the way back of the one before.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 29) SET NOEXEC ON;
IF EXISTS (SELECT 1 FROM [dbo].[pipe_undo_HASH_new])
  OR EXISTS (SELECT 1 FROM [dbo].[pipe_undo_HASH_new_2_before])
  OR EXISTS (SELECT 1 FROM [dbo].[pipe_undo_HASH_new_2_after])
  OR EXISTS (SELECT 1 FROM [dbo].[pipe_undo_HASH_new_3_after])
  OR EXISTS (SELECT 1 FROM [dbo].[pipe_undo_HASH_new_4_before])
  OR EXISTS (SELECT 1 FROM [dbo].[pipe_undo_HASH_new_4_after])
BEGIN
  DROP TABLE IF EXISTS [dbo].[pipe_undo_HASH], [dbo].[pipe_undo_HASH_2_before], [dbo].[pipe_undo_HASH_2_after], [dbo].[pipe_undo_HASH_3_after], [dbo].[pipe_undo_HASH_4_before], [dbo].[pipe_undo_HASH_4_after];
  EXEC sp_rename @objname = N'[dbo].[pipe_undo_HASH_new]', @newname = N'pipe_undo_HASH', @objtype = N'OBJECT';
  EXEC sp_rename @objname = N'[dbo].[pipe_undo_HASH_new_2_before]', @newname = N'pipe_undo_HASH_2_before', @objtype = N'OBJECT';
  EXEC sp_rename @objname = N'[dbo].[pipe_undo_HASH_new_2_after]', @newname = N'pipe_undo_HASH_2_after', @objtype = N'OBJECT';
  EXEC sp_rename @objname = N'[dbo].[pipe_undo_HASH_new_3_after]', @newname = N'pipe_undo_HASH_3_after', @objtype = N'OBJECT';
  EXEC sp_rename @objname = N'[dbo].[pipe_undo_HASH_new_4_before]', @newname = N'pipe_undo_HASH_4_before', @objtype = N'OBJECT';
  EXEC sp_rename @objname = N'[dbo].[pipe_undo_HASH_new_4_after]', @newname = N'pipe_undo_HASH_4_after', @objtype = N'OBJECT';
END
ELSE
  DROP TABLE [dbo].[pipe_undo_HASH_new], [dbo].[pipe_undo_HASH_new_2_before], [dbo].[pipe_undo_HASH_new_2_after], [dbo].[pipe_undo_HASH_new_3_after], [dbo].[pipe_undo_HASH_new_4_before], [dbo].[pipe_undo_HASH_new_4_after];
UPDATE #pipe_run SET done = 30;
GO

-- All is done, or nothing.
IF @@TRANCOUNT = 0 OR NOT EXISTS (SELECT 1 FROM #pipe_run WHERE done = 30) SET NOEXEC ON;
DROP TABLE #pipe_stage_1, #pipe_stage_2, #pipe_stage_3, #pipe_stage_4, #pipe_cycle;
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
