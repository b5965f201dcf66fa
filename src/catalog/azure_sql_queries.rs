//! The questions that the catalog of Azure SQL or SQL Server is asked.
//!
//! Every name comes back quoted by the server, every value as text, and the first column says which table a row is about. The only names
//! that go in are literals, escaped. All questions are about a list of tables, none about a whole database.

/// The wanted tables in order, with what is there under each name, and whether the user may see what its constraints say: without
/// that right their definitions are NULL.
pub(super) const TABLES: &str = "
SELECT w.[schema], w.name, CONVERT(nvarchar(20), o.object_id) AS id, CONVERT(nvarchar(2), o.type) AS type, w.place,
  CONVERT(nvarchar(1), HAS_PERMS_BY_NAME(QUOTENAME(s.name) + N'.' + QUOTENAME(o.name), 'OBJECT', 'VIEW DEFINITION')) AS visible
FROM (VALUES {wanted}) AS w (place, [schema], name)
LEFT JOIN (sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id)
  ON s.name COLLATE Latin1_General_BIN2 = w.[schema] COLLATE Latin1_General_BIN2
 AND o.name COLLATE Latin1_General_BIN2 = w.name COLLATE Latin1_General_BIN2 AND o.type IN ('U', 'V', 'SN', 'ET')
ORDER BY w.place;";

/// The names of all tables, for a suggestion.
pub(super) const NEIGHBOURS: &str = "
SELECT TOP (10000) CASE s.name WHEN N'dbo' THEN N'' ELSE s.name + N'.' END + t.name AS name
FROM sys.tables AS t JOIN sys.schemas AS s ON s.schema_id = t.schema_id
WHERE t.is_ms_shipped = 0
ORDER BY name;";

/// The columns of tables: name, type, its sizes, and what stands behind them. A type of the database's own is shown as the one below it.
pub(super) const COLUMNS: &str = "
SELECT CONVERT(nvarchar(20), c.object_id) AS id, QUOTENAME(c.name) AS name, TYPE_NAME(c.system_type_id) AS type, CONVERT(nvarchar(10), c.max_length) AS bytes,
  CONVERT(nvarchar(10), c.precision) AS digits, CONVERT(nvarchar(10), c.scale) AS scale, CONVERT(nvarchar(1), c.is_nullable) AS nullable,
  CASE WHEN c.collation_name <> N'SQL_Latin1_General_CP1_CI_AS' OR c.collation_name <> CONVERT(nvarchar(128), DATABASEPROPERTYEX(DB_NAME(), 'Collation')) THEN c.collation_name END AS collation,
  CONVERT(nvarchar(40), i.seed_value) AS seed, CONVERT(nvarchar(40), i.increment_value) AS increment, k.definition AS computed, CONVERT(nvarchar(1), k.is_persisted) AS persisted,
  d.definition AS default_text, QUOTENAME(d.name) AS default_name, CASE WHEN c.user_type_id <> c.system_type_id AND c.system_type_id <> 240 THEN TYPE_NAME(c.user_type_id) END AS alias,
  CONVERT(nvarchar(1), c.generated_always_type) AS generated, CASE c.system_type_id WHEN 240 THEN TYPE_NAME(c.user_type_id) END AS assembly
FROM sys.columns AS c
LEFT JOIN sys.identity_columns AS i ON i.object_id = c.object_id AND i.column_id = c.column_id
LEFT JOIN sys.computed_columns AS k ON k.object_id = c.object_id AND k.column_id = c.column_id
LEFT JOIN sys.default_constraints AS d ON d.object_id = c.default_object_id
WHERE c.object_id IN ({tables})
ORDER BY c.object_id, c.column_id;";

/// The constraints of tables: keys first, then checks, then foreign keys; the last column says why one is none.
pub(super) const CONSTRAINTS: &str = "
SELECT CONVERT(nvarchar(20), x.id) AS id, x.definition, x.idle
FROM (
  SELECT k.parent_object_id AS id, CASE k.type WHEN 'PK' THEN 1 ELSE 2 END AS place, k.name,
    N'CONSTRAINT ' + QUOTENAME(k.name) + CASE k.type WHEN 'PK' THEN N' PRIMARY KEY (' ELSE N' UNIQUE (' END
      + (SELECT STRING_AGG(CONVERT(nvarchar(max), QUOTENAME(COL_NAME(c.object_id, c.column_id))), N', ') WITHIN GROUP (ORDER BY c.key_ordinal)
         FROM sys.index_columns AS c WHERE c.object_id = k.parent_object_id AND c.index_id = k.unique_index_id AND c.is_included_column = 0) + N')' AS definition,
    CASE WHEN i.is_disabled = 1 THEN N'disabled' END AS idle
  FROM sys.key_constraints AS k JOIN sys.indexes AS i ON i.object_id = k.parent_object_id AND i.index_id = k.unique_index_id
  UNION ALL
  SELECT k.parent_object_id, 3, k.name, N'CONSTRAINT ' + QUOTENAME(k.name) + N' CHECK (' + k.definition + N')', CASE WHEN k.is_disabled = 1 THEN N'disabled' END
  FROM sys.check_constraints AS k
  UNION ALL
  SELECT k.parent_object_id, 4, k.name,
    N'CONSTRAINT ' + QUOTENAME(k.name) + N' FOREIGN KEY ('
      + (SELECT STRING_AGG(CONVERT(nvarchar(max), QUOTENAME(COL_NAME(c.parent_object_id, c.parent_column_id))), N', ') WITHIN GROUP (ORDER BY c.constraint_column_id)
         FROM sys.foreign_key_columns AS c WHERE c.constraint_object_id = k.object_id)
      + N') REFERENCES ' + QUOTENAME(OBJECT_SCHEMA_NAME(k.referenced_object_id)) + N'.' + QUOTENAME(OBJECT_NAME(k.referenced_object_id)) + N' ('
      + (SELECT STRING_AGG(CONVERT(nvarchar(max), QUOTENAME(COL_NAME(c.referenced_object_id, c.referenced_column_id))), N', ') WITHIN GROUP (ORDER BY c.constraint_column_id)
         FROM sys.foreign_key_columns AS c WHERE c.constraint_object_id = k.object_id) + N')'
      + CASE k.delete_referential_action WHEN 1 THEN N' ON DELETE CASCADE' WHEN 2 THEN N' ON DELETE SET NULL' WHEN 3 THEN N' ON DELETE SET DEFAULT' ELSE N'' END
      + CASE k.update_referential_action WHEN 1 THEN N' ON UPDATE CASCADE' WHEN 2 THEN N' ON UPDATE SET NULL' WHEN 3 THEN N' ON UPDATE SET DEFAULT' ELSE N'' END,
    CASE WHEN k.is_disabled = 1 THEN N'disabled' END
  FROM sys.foreign_keys AS k
) AS x
WHERE x.id IN ({tables})
ORDER BY x.id, x.place, x.name COLLATE Latin1_General_BIN2;";

/// The indexes of rows that are no constraints.
pub(super) const INDEXES: &str = "
SELECT CONVERT(nvarchar(20), i.object_id) AS id,
  N'CREATE ' + CASE i.is_unique WHEN 1 THEN N'UNIQUE ' ELSE N'' END + N'INDEX ' + QUOTENAME(i.name) + N' ON ' + QUOTENAME(OBJECT_SCHEMA_NAME(i.object_id)) + N'.' + QUOTENAME(OBJECT_NAME(i.object_id)) + N' ('
    + (SELECT STRING_AGG(CONVERT(nvarchar(max), QUOTENAME(COL_NAME(c.object_id, c.column_id))), N', ') WITHIN GROUP (ORDER BY c.key_ordinal)
       FROM sys.index_columns AS c WHERE c.object_id = i.object_id AND c.index_id = i.index_id AND c.is_included_column = 0) + N')'
    + CASE WHEN i.has_filter = 1 THEN N' WHERE ' + i.filter_definition ELSE N'' END AS definition,
  CASE WHEN i.is_disabled = 1 THEN N'disabled' END AS idle
FROM sys.indexes AS i
WHERE i.object_id IN ({tables}) AND i.type IN (1, 2) AND i.is_primary_key = 0 AND i.is_unique_constraint = 0 AND i.is_hypothetical = 0
ORDER BY i.object_id, i.name COLLATE Latin1_General_BIN2;";

/// What may refuse or change rows and stands in no constraint.
pub(super) const OTHERS: &str = "
SELECT CONVERT(nvarchar(20), x.id) AS id, x.remark
FROM (
  SELECT t.parent_id AS id, CASE t.is_instead_of_trigger WHEN 1 THEN N'trigger instead of the statement: ' ELSE N'trigger: ' END + t.name AS remark
  FROM sys.triggers AS t WHERE t.is_disabled = 0 AND t.parent_class = 1
  UNION ALL
  SELECT p.target_object_id, N'security policy: ' + OBJECT_NAME(p.object_id) FROM sys.security_predicates AS p
) AS x
WHERE x.id IN ({tables})
ORDER BY x.id, x.remark COLLATE Latin1_General_BIN2;";
