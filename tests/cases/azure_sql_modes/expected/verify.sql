-- pipeline azure_sql_modes, by pipe VERSION
-- run      HASH
-- target   inline
-- spec     sha256 HASH
-- source   raw, sha256 HASH
-- table    dbo.log: insert, 2 rows
-- table    dbo.person: upsert, 2 rows
-- table    dbo.badge: append, 2 rows
-- table    dbo.setting: replace, 2 rows
-- not compared: column name of dbo.person, which the upsert may leave as it was, or make another
-- not compared: column born of dbo.person, which the upsert may leave as it was, or make another
-- not compared: column share of dbo.person, which the upsert may leave as it was, or make another
-- not compared: column boss of dbo.person, which the upsert may leave as it was, or make another
--
-- Reads only. Run with: sqlcmd -b -f 65001 -i verify.sql, or in Azure Data Studio or SSMS

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
GO

DROP TABLE IF EXISTS #pipe_keys_2;
SELECT TOP (0) [id]
INTO #pipe_keys_2
FROM [dbo].[person]
UNION ALL
SELECT TOP (0) [id]
FROM [dbo].[person];
GO
INSERT INTO #pipe_keys_2 ([id]) VALUES
(1),
(2);
GO

DROP TABLE IF EXISTS #pipe_keys_3;
SELECT TOP (0) [code], [person_id]
INTO #pipe_keys_3
FROM [dbo].[badge]
UNION ALL
SELECT TOP (0) [code], [person_id]
FROM [dbo].[badge];
GO
INSERT INTO #pipe_keys_3 ([code], [person_id]) VALUES
(N'o''hara', 1),
(N'two' + NCHAR(10) + N'lines $' + N'(x)', 2);
GO

WITH result AS (
  SELECT 1 AS number, N'dbo.log' AS [table], CONVERT(bigint, 2) AS expected, COUNT_BIG(*) AS found, 0 AS exact,
  0 AS compared,
  CONVERT(decimal(38, 0), 66347113013383736) AS expected_checksum,
  CONVERT(decimal(38, 0), 0) AS found_checksum
  FROM [dbo].[log] AS t
  UNION ALL
  SELECT 2 AS number, N'dbo.person' AS [table], CONVERT(bigint, 2) AS expected, COUNT_BIG(*) AS found, 1 AS exact,
  (SELECT CASE WHEN COUNT(*) = 0 THEN 1 ELSE 0 END FROM sys.columns AS c
    WHERE c.object_id = OBJECT_ID(N'[dbo].[person]') AND ((c.name IN (N'id') AND TYPE_NAME(c.system_type_id) NOT IN (N'bit', N'tinyint', N'smallint', N'int', N'bigint', N'decimal', N'numeric', N'money', N'smallmoney', N'real', N'float')))) AS compared,
  CONVERT(decimal(38, 0), 21689361939533635) AS expected_checksum,
  ISNULL(SUM(CONVERT(decimal(38, 0), CONVERT(bigint, 0x00 + SUBSTRING(HASHBYTES('SHA2_256', CASE WHEN t.[id] IS NULL THEN N'-' ELSE CONCAT(CONVERT(nvarchar(20), DATALENGTH(CONVERT(nvarchar(max), CONVERT(decimal(38, 0), t.[id])))), N':', CONVERT(nvarchar(max), CONVERT(decimal(38, 0), t.[id]))) END), 1, 7)))), 0) AS found_checksum
  FROM [dbo].[person] AS t
  INNER JOIN #pipe_keys_2 AS k ON t.[id] = k.[id]
  UNION ALL
  SELECT 3 AS number, N'dbo.badge' AS [table], CONVERT(bigint, 2) AS expected, COUNT_BIG(*) AS found, 1 AS exact,
  (SELECT CASE WHEN COUNT(*) = 0 THEN 1 ELSE 0 END FROM sys.columns AS c
    WHERE c.object_id = OBJECT_ID(N'[dbo].[badge]') AND ((c.name IN (N'code') AND TYPE_NAME(c.system_type_id) NOT IN (N'char', N'varchar', N'nchar', N'nvarchar', N'text', N'ntext'))
      OR (c.name IN (N'person_id') AND TYPE_NAME(c.system_type_id) NOT IN (N'bit', N'tinyint', N'smallint', N'int', N'bigint', N'decimal', N'numeric', N'money', N'smallmoney', N'real', N'float')))) AS compared,
  CONVERT(decimal(38, 0), 35955992075600911) AS expected_checksum,
  ISNULL(SUM(CONVERT(decimal(38, 0), CONVERT(bigint, 0x00 + SUBSTRING(HASHBYTES('SHA2_256', CONCAT(
    CASE WHEN t.[code] IS NULL THEN N'-' ELSE CONCAT(CONVERT(nvarchar(20), DATALENGTH(CONVERT(nvarchar(max), t.[code]))), N':', CONVERT(nvarchar(max), t.[code])) END,
    CASE WHEN t.[person_id] IS NULL THEN N'-' ELSE CONCAT(CONVERT(nvarchar(20), DATALENGTH(CONVERT(nvarchar(max), CONVERT(decimal(38, 0), t.[person_id])))), N':', CONVERT(nvarchar(max), CONVERT(decimal(38, 0), t.[person_id]))) END
  )), 1, 7)))), 0) AS found_checksum
  FROM [dbo].[badge] AS t
  INNER JOIN #pipe_keys_3 AS k ON t.[person_id] = k.[person_id] AND t.[code] = k.[code]
  UNION ALL
  SELECT 4 AS number, N'dbo.setting' AS [table], CONVERT(bigint, 2) AS expected, COUNT_BIG(*) AS found, 1 AS exact,
  (SELECT CASE WHEN COUNT(*) = 0 THEN 1 ELSE 0 END FROM sys.columns AS c
    WHERE c.object_id = OBJECT_ID(N'[dbo].[setting]') AND ((c.name IN (N'tenant', N'name') AND TYPE_NAME(c.system_type_id) NOT IN (N'char', N'varchar', N'nchar', N'nvarchar', N'text', N'ntext'))
      OR (c.name IN (N'id') AND TYPE_NAME(c.system_type_id) NOT IN (N'bit', N'tinyint', N'smallint', N'int', N'bigint', N'decimal', N'numeric', N'money', N'smallmoney', N'real', N'float')))) AS compared,
  CONVERT(decimal(38, 0), 67435848192011257) AS expected_checksum,
  ISNULL(SUM(CONVERT(decimal(38, 0), CONVERT(bigint, 0x00 + SUBSTRING(HASHBYTES('SHA2_256', CONCAT(
    CASE WHEN t.[tenant] IS NULL THEN N'-' ELSE CONCAT(CONVERT(nvarchar(20), DATALENGTH(CONVERT(nvarchar(max), t.[tenant]))), N':', CONVERT(nvarchar(max), t.[tenant])) END,
    CASE WHEN t.[id] IS NULL THEN N'-' ELSE CONCAT(CONVERT(nvarchar(20), DATALENGTH(CONVERT(nvarchar(max), CONVERT(decimal(38, 0), t.[id])))), N':', CONVERT(nvarchar(max), CONVERT(decimal(38, 0), t.[id]))) END,
    CASE WHEN t.[name] IS NULL THEN N'-' ELSE CONCAT(CONVERT(nvarchar(20), DATALENGTH(CONVERT(nvarchar(max), t.[name]))), N':', CONVERT(nvarchar(max), t.[name])) END
  )), 1, 7)))), 0) AS found_checksum
  FROM [dbo].[setting] AS t
  WHERE t.[tenant] = N'it''s'
)
SELECT [table], expected, found, expected_checksum,
  CASE WHEN compared = 1 THEN CONVERT(nvarchar(40), found_checksum) ELSE N'not checked' END AS found_checksum,
  CASE
    WHEN found < expected OR (exact = 1 AND found > expected) THEN N'MISMATCH'
    WHEN compared = 1 AND found_checksum <> expected_checksum THEN N'MISMATCH'
    ELSE N'ok'
  END AS result
FROM result
ORDER BY number;
GO
DROP TABLE #pipe_keys_2, #pipe_keys_3;
GO
SET NOEXEC OFF;
GO
