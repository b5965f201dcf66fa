//! The questions that the catalog of a PostgreSQL server is asked.
//!
//! Every name comes back quoted by the server and every definition as the server writes it, so that nothing here has to know its
//! rules. The only names that go in are literals, escaped. All questions are about a list of tables, none about a whole database.

/// The schema and name of each wanted table, in order; what is not there has no object identifier.
pub(super) const TABLES: &str = "
SELECT wanted.schema, wanted.name, c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text,
       c.relrowsecurity, CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END
FROM unnest({schemas}::text[], {names}::text[]) WITH ORDINALITY AS wanted(schema, name, place)
LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace)
       ON c.relname = wanted.name::name AND octet_length(wanted.name) < 64 AND n.nspname::text = wanted.schema
      AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY wanted.place";

/// The names of all tables of some schemas, for a suggestion.
pub(super) const NEIGHBOURS: &str = "
SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1 LIMIT 10000";

/// The columns of tables with what the server has to say about each.
pub(super) const COLUMNS: &str = "
SELECT a.attrelid, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text, a.attgenerated::text,
       pg_get_expr(d.adbin, d.adrelid),
       CASE WHEN a.attcollation <> t.typcollation THEN quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END,
       own.deptype = 'a' AND pg_get_expr(d.adbin, d.adrelid) = format('nextval(%L::regclass)', own.sequence),
       own.options
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN (pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace) ON co.oid = a.attcollation
LEFT JOIN LATERAL (
    SELECT p.deptype::text, p.objid::regclass::text AS sequence,
           format('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s', s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache)
               || CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END AS options,
           s.seqstart
    FROM pg_depend p JOIN pg_sequence s ON s.seqrelid = p.objid
    WHERE p.refclassid = 'pg_class'::regclass AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum
      AND p.classid = 'pg_class'::regclass AND p.deptype IN ('a', 'i')
    ORDER BY p.objid LIMIT 1) own ON true
WHERE a.attrelid = ANY ({tables}::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum";

/// The constraints of tables: keys first, then checks, then foreign keys.
pub(super) const CONSTRAINTS: &str = "
SELECT conrelid, format('CONSTRAINT %I %s', conname, pg_get_constraintdef(oid))
FROM pg_constraint
WHERE conrelid = ANY ({tables}::oid[]) AND contype IN ('p', 'u', 'c', 'f', 'x')
ORDER BY conrelid, position(contype::text IN 'pucfx'), conname COLLATE \"C\"";

/// The indexes that are no constraints.
pub(super) const INDEXES: &str = "
SELECT i.indrelid, pg_get_indexdef(i.indexrelid), i.indisvalid
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY ({tables}::oid[])
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY i.indrelid, c.relname COLLATE \"C\"";

/// The types that columns of tables use, directly, as elements of arrays, or below a domain.
pub(super) const TYPES: &str = "
WITH RECURSIVE used(relation, type) AS (
    SELECT attrelid, atttypid FROM pg_attribute WHERE attrelid = ANY ({tables}::oid[]) AND attnum > 0 AND NOT attisdropped
    UNION
    SELECT u.relation, below.type
    FROM used u JOIN pg_type t ON t.oid = u.type
    CROSS JOIN LATERAL (VALUES (t.typbasetype), (CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END)) below(type)
    WHERE below.type <> 0)
SELECT u.relation, format_type(t.oid, NULL), t.typtype::text,
       to_json(ARRAY(SELECT '''' || replace(e.enumlabel, '''', '''''') || '''' FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)),
       format_type(t.typbasetype, t.typtypmod), format_type(t.typbasetype, NULL), t.typnotnull, pg_get_expr(t.typdefaultbin, 0),
       CASE WHEN t.typtype = 'd' AND t.typcollation <> b.typcollation THEN quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END,
       to_json(ARRAY(SELECT format('CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)) FROM pg_constraint k
             WHERE k.contypid = t.oid AND k.contype = 'c' ORDER BY k.conname COLLATE \"C\"))
FROM used u
JOIN pg_type t ON t.oid = u.type
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_type b ON b.oid = t.typbasetype
LEFT JOIN (pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace) ON co.oid = t.typcollation
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT (t.typcategory = 'A' AND t.typtype = 'b')
ORDER BY u.relation, format_type(t.oid, NULL) COLLATE \"C\"";

/// What else may refuse or change rows: triggers, rules and policies, each in words of the server.
pub(super) const OTHERS: &str = "
SELECT relation, text FROM (
    SELECT tgrelid AS relation, 1 AS kind, tgname::text AS name, 'trigger: ' || pg_get_triggerdef(oid) AS text
    FROM pg_trigger WHERE tgrelid = ANY ({tables}::oid[]) AND NOT tgisinternal AND tgenabled <> 'D'
    UNION ALL
    SELECT ev_class, 2, rulename, 'rule: ' || pg_get_ruledef(oid) FROM pg_rewrite WHERE ev_class = ANY ({tables}::oid[]) AND rulename <> '_RETURN'
    UNION ALL
    SELECT polrelid, 3, polname, format('row-level security: policy %I', polname) FROM pg_policy WHERE polrelid = ANY ({tables}::oid[])
) found
ORDER BY relation, kind, name COLLATE \"C\"";
