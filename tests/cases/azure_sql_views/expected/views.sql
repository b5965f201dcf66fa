-- pipeline azure_sql_views, by pipe VERSION
-- run      HASH
-- target   inline
-- spec     sha256 HASH
-- source   raw, sha256 HASH
--
-- Run with: sqlcmd -b -f 65001 -i views.sql, or in Azure Data Studio or SSMS

SET ANSI_NULLS ON;
SET QUOTED_IDENTIFIER ON;
GO

CREATE OR ALTER VIEW [dbo].[v_values] AS
WITH [raw#written.extract] AS (
    SELECT CAST([k] AS bigint) AS [k], CAST([a] AS int) AS [a], CAST([n] AS decimal(8,2)) AS [n], (CAST([t] AS nvarchar(max))) COLLATE Latin1_General_100_BIN2 AS [t], (CAST([u] AS nvarchar(max))) COLLATE Latin1_General_100_BIN2 AS [u], CAST([b] AS bit) AS [b], CAST([d] AS date) AS [d], CAST([s] AS datetime2(6)) AS [s]
    FROM [dbo].[facts]
),
[values_of_rows.map] AS (
    SELECT [k] AS [k], (CAST(CAST([t] AS nvarchar(max)) + N'-' AS nvarchar(max)) + CAST([a] AS nvarchar(40))) COLLATE Latin1_General_100_BIN2 AS [joined], (CONCAT(CAST([t] AS nvarchar(max)), CAST([a] AS nvarchar(40)), CAST(CAST([n] AS decimal(8,2)) AS nvarchar(42)), CONVERT(nvarchar(10), [d], 23), CASE [b] WHEN 1 THEN N'true' WHEN 0 THEN N'false' END)) COLLATE Latin1_General_100_BIN2 AS [several], (CONCAT_WS(N'/', CAST([t] AS nvarchar(max)), [u])) COLLATE Latin1_General_100_BIN2 AS [parted], (CONCAT_WS(N'/', CAST([t] AS nvarchar(max)), NULL)) COLLATE Latin1_General_100_BIN2 AS [one_part], (COALESCE([t], [u], N'none')) COLLATE Latin1_General_100_BIN2 AS [first], (CASE WHEN ([t] = [u] AND DATALENGTH([t]) = DATALENGTH([u])) THEN NULL ELSE [t] END) COLLATE Latin1_General_100_BIN2 AS [null_if], (CASE WHEN [a] > 1 THEN N'many' ELSE N'few' END) COLLATE Latin1_General_100_BIN2 AS [chosen], CASE WHEN ([t] = N'x' AND DATALENGTH([t]) = DATALENGTH(N'x')) THEN 1 WHEN ([t] = [u] AND DATALENGTH([t]) = DATALENGTH([u])) THEN 2 ELSE 0 END AS [simple], CASE WHEN [b] = 1 THEN [n] END AS [searched], CASE WHEN [a] = 7 THEN CAST(1 AS bit) WHEN NOT ([a] = 7) THEN CAST(0 AS bit) END AS [is_true], CAST(LEN(([t]) COLLATE Latin1_General_100_CI_AS_SC + N'.') - 1 AS bigint) AS [characters], ((LEFT(([t]) COLLATE Latin1_General_100_CI_AS_SC, 2)) COLLATE Latin1_General_100_BIN2) COLLATE Latin1_General_100_BIN2 AS [beginning], ((SUBSTRING(([t]) COLLATE Latin1_General_100_CI_AS_SC, 2, 3)) COLLATE Latin1_General_100_BIN2) COLLATE Latin1_General_100_BIN2 AS [middle], ((SUBSTRING(([t]) COLLATE Latin1_General_100_CI_AS_SC, 2, 1073741823)) COLLATE Latin1_General_100_BIN2) COLLATE Latin1_General_100_BIN2 AS [rest], (TRIM(N'                　' FROM [u])) COLLATE Latin1_General_100_BIN2 AS [trimmed], (REPLACE([t], N'x', (N'$' + N'(y)'))) COLLATE Latin1_General_100_BIN2 AS [replaced], CASE WHEN ((CHARINDEX([u], [t]) > 0 OR DATALENGTH([u]) = 0 AND DATALENGTH([t]) >= 0)) THEN CAST(1 AS bit) WHEN NOT ((CHARINDEX([u], [t]) > 0 OR DATALENGTH([u]) = 0 AND DATALENGTH([t]) >= 0)) THEN CAST(0 AS bit) END AS [holds], CASE WHEN (CHARINDEX(N'x', [t]) > 0) THEN CAST(1 AS bit) WHEN NOT (CHARINDEX(N'x', [t]) > 0) THEN CAST(0 AS bit) END AS [holds_x], CASE WHEN (CHARINDEX(N'it', [t]) = 1) THEN CAST(1 AS bit) WHEN NOT (CHARINDEX(N'it', [t]) = 1) THEN CAST(0 AS bit) END AS [starts], CAST(CAST(ABS([a]) + FLOOR([n]) AS decimal(11,0)) + CEILING([n]) AS decimal(12,0)) AS [absolute], ROUND([n], 1) AS [rounded], CAST(CAST([n] * [n] AS decimal(16,4)) - [a] AS decimal(17,4)) AS [product], CAST([a] AS float) / CAST(2 AS float) AS [quotient], [a] / 2 AS [halves], [a] % 2 AS [remainder], -([a]) AS [negative], CAST(DATEPART(year, [d]) AS bigint) AS [year], CAST(DATEPART(hour, [s]) AS bigint) AS [hour], CAST([b] AS int) AS [number], (CAST(CAST([n] AS decimal(8,2)) AS nvarchar(42))) COLLATE Latin1_General_100_BIN2 AS [text_of_number], (CONVERT(nvarchar(10), [d], 23)) COLLATE Latin1_General_100_BIN2 AS [text_of_date], (CASE [b] WHEN 1 THEN N'true' WHEN 0 THEN N'false' END) COLLATE Latin1_General_100_BIN2 AS [text_of_boolean], CAST([a] AS bigint) AS [wide], CASE WHEN [k] BETWEEN -2147483648 AND 2147483647 THEN CAST([k] AS int) END AS [narrow], CAST([d] AS datetime2(6)) AS [at], CAST(N'2024-01-31' AS date) AS [constant]
    FROM [raw#written.extract]
    WHERE [t] LIKE N'%~[x]%' ESCAPE N'~' OR [b] = 1 AND NOT ([a] >= 1 AND [a] <= 3) OR CASE WHEN ([u] = [t] AND DATALENGTH([u]) = DATALENGTH([t])) OR ([u] IS NULL AND [t] IS NULL) THEN 1 ELSE 0 END = 1 OR NOT (([t] = N'a ' AND DATALENGTH([t]) = DATALENGTH(N'a ')) OR ([t] = [u] AND DATALENGTH([t]) = DATALENGTH([u]))) OR [d] IS NULL
)
SELECT [k], [joined], [several], [parted], [one_part], [first], [null_if], [chosen], [simple], [searched], [is_true], [characters], [beginning], [middle], [rest], [trimmed], [replaced], [holds], [holds_x], [starts], [absolute], [rounded], [product], [quotient], [halves], [remainder], [negative], [year], [hour], [number], [text_of_number], [text_of_date], [text_of_boolean], [wide], [narrow], [at], [constant]
FROM [values_of_rows.map];
GO

CREATE OR ALTER VIEW [dbo].[v_groups] AS
WITH [raw#written.extract] AS (
    SELECT CAST([a] AS int) AS [a], CAST([n] AS decimal(8,2)) AS [n], (CAST([t] AS nvarchar(max))) COLLATE Latin1_General_100_BIN2 AS [t], (CAST([u] AS nvarchar(max))) COLLATE Latin1_General_100_BIN2 AS [u], CAST([b] AS bit) AS [b]
    FROM [dbo].[facts]
),
[groups.group_by] AS (
    SELECT [t] AS [t], COUNT_BIG(*) AS [#agg.1], COUNT_BIG([n]) AS [#agg.2], SUM(CAST([a] AS decimal(38,0))) AS [#agg.3], SUM([n]) AS [#agg.4], CAST(SUM(CAST([a] AS decimal(38,0))) AS float) / NULLIF(COUNT([a]), 0) AS [#agg.5], (min([u])) COLLATE Latin1_General_100_BIN2 AS [#agg.6], CAST(MIN(CAST([b] AS tinyint)) AS bit) AS [#agg.7], CAST(MAX(CAST([b] AS tinyint)) AS bit) AS [#agg.8], (STRING_AGG([u], N', ') WITHIN GROUP (ORDER BY [u] DESC)) COLLATE Latin1_General_100_BIN2 AS [#agg.9]
    FROM [raw#written.extract]
    GROUP BY [t], DATALENGTH([t])
),
[groups.map] AS (
    SELECT [t] AS [t], [#agg.1] AS [rows], [#agg.2] AS [known], [#agg.3] AS [total], [#agg.4] AS [exact], [#agg.5] AS [mean], [#agg.6] AS [least], [#agg.7] AS [all_true], [#agg.8] AS [any_true], [#agg.9] AS [names]
    FROM [groups.group_by]
)
SELECT [t], [rows], [known], [total], [exact], [mean], [least], [all_true], [any_true], [names]
FROM [groups.map];
GO

CREATE OR ALTER VIEW [dbo].[v_firsts] AS
WITH [raw#written.extract] AS (
    SELECT (CAST([t] AS nvarchar(max))) COLLATE Latin1_General_100_BIN2 AS [t], (CAST([u] AS nvarchar(max))) COLLATE Latin1_General_100_BIN2 AS [u]
    FROM [dbo].[facts]
),
[firsts.distinct] AS (
    SELECT [t], [u]
    FROM (SELECT [t] AS [t], [u] AS [u], row_number() OVER (PARTITION BY DATALENGTH([t]), [t] ORDER BY CASE WHEN [t] IS NULL THEN 1 ELSE 0 END, [t], CASE WHEN [u] IS NULL THEN 1 ELSE 0 END, [u] DESC) AS [#number] FROM [raw#written.extract]) AS numbered
    WHERE [#number] = 1
)
SELECT [t], [u]
FROM [firsts.distinct];
GO

CREATE OR ALTER VIEW [dbo].[v_both] AS
WITH [raw#written.extract] AS (
    SELECT (CAST([t] AS nvarchar(max))) COLLATE Latin1_General_100_BIN2 AS [t], (CAST([u] AS nvarchar(max))) COLLATE Latin1_General_100_BIN2 AS [u]
    FROM [dbo].[facts]
),
[groups_of_u.group_by] AS (
    SELECT [u] AS [u]
    FROM [raw#written.extract]
    GROUP BY [u], DATALENGTH([u])
),
[firsts_of_u.map] AS (
    SELECT [t] AS [u]
    FROM [raw#written.extract]
),
[both.union] AS (
    SELECT [u] FROM [groups_of_u.group_by]
    UNION ALL SELECT [u] FROM [firsts_of_u.map]
)
SELECT [u]
FROM [both.union];
GO

CREATE OR ALTER VIEW [dbo].[v_cells] AS
WITH [raw#written.extract] AS (
    SELECT CAST([k] AS bigint) AS [k], (CAST([t] AS nvarchar(max))) COLLATE Latin1_General_100_BIN2 AS [t], (CAST([u] AS nvarchar(max))) COLLATE Latin1_General_100_BIN2 AS [u]
    FROM [dbo].[facts]
),
[cells.unpivot] AS (
    SELECT i.[k] AS [k], ((e.[label]) COLLATE Latin1_General_100_BIN2) AS [label], e.[cell] AS [cell]
    FROM [raw#written.extract] AS i CROSS APPLY (VALUES (N't', i.[t]), (N'u', i.[u])) AS e([label], [cell])
    WHERE e.[cell] IS NOT NULL
)
SELECT [k], [label], [cell]
FROM [cells.unpivot];
GO

CREATE OR ALTER VIEW [dbo].[v_joined] AS
WITH [raw#written.extract] AS (
    SELECT CAST([k] AS bigint) AS [k], (CAST([t] AS nvarchar(max))) COLLATE Latin1_General_100_BIN2 AS [t], (CAST([u] AS nvarchar(max))) COLLATE Latin1_General_100_BIN2 AS [u]
    FROM [dbo].[facts]
),
[groups_of_u.group_by] AS (
    SELECT [u] AS [u]
    FROM [raw#written.extract]
    GROUP BY [u], DATALENGTH([u])
),
[joined.join] AS (
    SELECT l.[k] AS [k], r.[u] AS [found]
    FROM [raw#written.extract] AS l
    LEFT JOIN [groups_of_u.group_by] AS r ON (l.[t] = r.[u] AND DATALENGTH(l.[t]) = DATALENGTH(r.[u]))
)
SELECT [k], [found]
FROM [joined.join];
GO
