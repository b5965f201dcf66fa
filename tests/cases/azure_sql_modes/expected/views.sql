-- pipeline azure_sql_modes, by pipe VERSION
-- run      HASH
-- target   inline
-- spec     sha256 HASH
-- source   raw, sha256 HASH
--
-- Run with: sqlcmd -b -f 65001 -i views.sql, or in Azure Data Studio or SSMS

SET ANSI_NULLS ON;
SET QUOTED_IDENTIFIER ON;
GO

CREATE OR ALTER VIEW [dbo].[v_flat] AS
WITH [raw.extract] AS (
    SELECT CAST([id] AS bigint) AS [id], (CAST([name] AS nvarchar(max))) COLLATE Latin1_General_100_BIN2 AS [name]
    FROM [dbo].[people]
),
[flat.map] AS (
    SELECT [id] AS [id], (CONCAT(CAST(TRIM(N'                　' FROM [name]) AS nvarchar(max)), N'-', CAST([id] AS nvarchar(40)))) COLLATE Latin1_General_100_BIN2 AS [label]
    FROM [raw.extract]
    WHERE NOT ([name] = N'x' AND DATALENGTH([name]) = DATALENGTH(N'x')) AND ([id] = 1 OR [id] = 2)
)
SELECT [id], [label]
FROM [flat.map];
GO
