-- pipeline circle_with_one_deferrable_key, by pipe VERSION
-- run      HASH
-- target   inline
-- spec     sha256 HASH
-- source   teams, sha256 HASH
-- source   people, sha256 HASH
-- table    public.team: upsert, 2 rows
-- table    public.person: upsert, 2 rows
--
-- Run with: psql -f deploy.sql

\set ON_ERROR_STOP on
\set ON_ERROR_ROLLBACK off

BEGIN;

SET LOCAL client_encoding = 'UTF8';
SET LOCAL standard_conforming_strings = on;
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL TimeZone = 'UTC';
SET LOCAL extra_float_digits = 1;

-- The target has every table and column that is loaded.
DO $pipe$
DECLARE
  problems text;
BEGIN
  WITH wanted (number, place, shown, relation, name, overriding) AS (
    VALUES
      (1, 1, 'public.team', '"public"."team"', 'id', false),
      (1, 2, 'public.team', '"public"."team"', 'lead_id', false),
      (2, 1, 'public.person', '"public"."person"', 'id', false),
      (2, 2, 'public.person', '"public"."person"', 'team_id', false)
  ), found AS (
    SELECT w.*, to_regclass(w.relation) AS oid, a.attnum, a.attgenerated, a.attidentity
    FROM wanted AS w
    LEFT JOIN pg_catalog.pg_attribute AS a
      ON a.attrelid = to_regclass(w.relation) AND a.attname = w.name AND a.attnum > 0 AND NOT a.attisdropped
  ), problem AS (
    SELECT DISTINCT number, 0 AS place, format('table %s does not exist', shown) AS problem FROM found WHERE oid IS NULL
    UNION ALL
    SELECT number, place, format('table %s has no column %s', shown, name) FROM found WHERE oid IS NOT NULL AND attnum IS NULL
    UNION ALL
    SELECT number, place, format('column %s of table %s is computed by the database', name, shown) FROM found WHERE attgenerated <> ''
    UNION ALL
    SELECT number, place, format('column %s of table %s is numbered by the database alone', name, shown)
    FROM found WHERE attidentity = 'a' AND NOT overriding
  )
  SELECT string_agg(problem, '; ' ORDER BY number, place) INTO problems FROM problem;
  IF problems IS NOT NULL THEN
    RAISE EXCEPTION 'the target does not fit this script: %', problems;
  END IF;
END
$pipe$;

-- Rows of public.team
CREATE TEMP TABLE pg_temp.pipe_stage_1 ON COMMIT DROP AS
SELECT "id", "lead_id" FROM "public"."team" WITH NO DATA;
COPY pg_temp.pipe_stage_1 ("id", "lead_id") FROM stdin;
1	2
2	1
\.

DO $pipe$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_1;
  IF found <> 2 THEN
    RAISE EXCEPTION 'table %: expected 2 rows in this script, found %', 'public.team', found;
  END IF;
END
$pipe$;

-- Rows of public.person
CREATE TEMP TABLE pg_temp.pipe_stage_2 ON COMMIT DROP AS
SELECT "id", "team_id" FROM "public"."person" WITH NO DATA;
COPY pg_temp.pipe_stage_2 ("id", "team_id") FROM stdin;
1	2
2	1
\.

DO $pipe$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_2;
  IF found <> 2 THEN
    RAISE EXCEPTION 'table %: expected 2 rows in this script, found %', 'public.person', found;
  END IF;
END
$pipe$;

-- Here stays what rollback.sql needs.
DO $pipe$
BEGIN
  IF NOT has_schema_privilege('public', 'CREATE') THEN
    RAISE EXCEPTION 'role % may not create tables in schema %, where rollback.sql would find the rows as they were', current_user, 'public'
      USING ERRCODE = 'insufficient_privilege', HINT = 'Grant CREATE on the schema, or emit the script with --no-rollback.';
  END IF;
END
$pipe$;
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C';
CREATE TABLE "public"."pipe_undo_HASH_new" (number integer NOT NULL, relation text NOT NULL, key text[] NOT NULL, same text, updated bigint,
  problem text, target oid, writer xid8, written bigint,
  columns text[], content text, pipeline text, deployed timestamptz, sequence bigint, called boolean, sequence_left bigint, called_left boolean);
CREATE TABLE "public"."pipe_undo_HASH_new_1_before" AS
SELECT 'u'::"char" AS pipe_action, t.tableoid AS pipe_table, t.ctid AS pipe_place, t.* FROM "public"."team" AS t WITH NO DATA;
CREATE TABLE "public"."pipe_undo_HASH_new_1_after" AS
SELECT 'u'::"char" AS pipe_action, t."id", 0::bigint AS pipe_left FROM "public"."team" AS t WITH NO DATA;
INSERT INTO "public"."pipe_undo_HASH_new" (number, relation, key, same)
SELECT 1, format('%I.%I', n.nspname, c.relname),
  ARRAY(SELECT quote_ident(k) FROM unnest(ARRAY['id']::text[]) WITH ORDINALITY AS l (k, place) ORDER BY place), 't."id" = k."id"'
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"public"."team"');
CREATE TABLE "public"."pipe_undo_HASH_new_2_before" AS
SELECT 'u'::"char" AS pipe_action, t.tableoid AS pipe_table, t.ctid AS pipe_place, t.* FROM "public"."person" AS t WITH NO DATA;
CREATE TABLE "public"."pipe_undo_HASH_new_2_after" AS
SELECT 'u'::"char" AS pipe_action, t."id", 0::bigint AS pipe_left FROM "public"."person" AS t WITH NO DATA;
INSERT INTO "public"."pipe_undo_HASH_new" (number, relation, key, same)
SELECT 2, format('%I.%I', n.nspname, c.relname),
  ARRAY(SELECT quote_ident(k) FROM unnest(ARRAY['id']::text[]) WITH ORDINALITY AS l (k, place) ORDER BY place), 't."id" = k."id"'
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"public"."person"');
DO $pipe$
DECLARE
  item record;
BEGIN
  FOR item IN
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'S' AND c.oid IN (
      SELECT d.objid FROM pg_catalog.pg_depend AS d JOIN "public"."pipe_undo_HASH_new" AS r ON d.refobjid = to_regclass(r.relation)
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
      UNION
      SELECT d.refobjid FROM pg_catalog.pg_attrdef AS f JOIN "public"."pipe_undo_HASH_new" AS r ON f.adrelid = to_regclass(r.relation)
      JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass)
    ORDER BY 1
  LOOP
    EXECUTE format('INSERT INTO "public"."pipe_undo_HASH_new" (number, relation, key, sequence, called) SELECT 0, %L, ''{}'', last_value, is_called FROM %s',
      item.name, item.name);
  END LOOP;
END
$pipe$;

-- Rows that change or go are kept.
INSERT INTO "public"."pipe_undo_HASH_new_1_before"
SELECT 'u', t.tableoid, t.ctid, t.*
FROM "public"."team" AS t
JOIN pg_temp.pipe_stage_1 AS s ON t."id" = s."id"
WHERE ROW(t."lead_id")::record OPERATOR(pg_catalog.*<>) ROW(s."lead_id")::record
FOR UPDATE OF t;
INSERT INTO "public"."pipe_undo_HASH_new_2_before"
SELECT 'u', t.tableoid, t.ctid, t.*
FROM "public"."person" AS t
JOIN pg_temp.pipe_stage_2 AS s ON t."id" = s."id"
WHERE ROW(t."team_id")::record OPERATOR(pg_catalog.*<>) ROW(s."team_id")::record
FOR UPDATE OF t;

-- Merge public.team, public.person
WITH pipe_update_1 AS (
UPDATE "public"."team" AS t
SET "lead_id" = s."lead_id"
FROM pg_temp.pipe_stage_1 AS s
WHERE t."id" = s."id"
  AND ROW(t."lead_id")::record OPERATOR(pg_catalog.*<>) ROW(s."lead_id")::record
RETURNING 1
), pipe_update_2 AS (
UPDATE "public"."person" AS t
SET "team_id" = s."team_id"
FROM pg_temp.pipe_stage_2 AS s
WHERE t."id" = s."id"
  AND ROW(t."team_id")::record OPERATOR(pg_catalog.*<>) ROW(s."team_id")::record
RETURNING 1
), pipe_insert_1 AS (
INSERT INTO "public"."team" AS t ("id", "lead_id")
SELECT s."id", s."lead_id"
FROM pg_temp.pipe_stage_1 AS s
CROSS JOIN (SELECT count(*) FROM pipe_update_1) AS first
WHERE NOT EXISTS (SELECT FROM "public"."team" AS t WHERE t."id" = s."id")
RETURNING t."id", hashtextextended(ROW(t.*)::text, 0) AS pipe_left
), pipe_insert_2 AS (
INSERT INTO "public"."person" AS t ("id", "team_id")
SELECT s."id", s."team_id"
FROM pg_temp.pipe_stage_2 AS s
CROSS JOIN (SELECT count(*) FROM pipe_update_2) AS first
WHERE NOT EXISTS (SELECT FROM "public"."person" AS t WHERE t."id" = s."id")
RETURNING t."id", hashtextextended(ROW(t.*)::text, 0) AS pipe_left
), pipe_count_1 AS (
UPDATE "public"."pipe_undo_HASH_new" SET updated = (SELECT count(*) FROM pipe_update_1) WHERE number = 1 RETURNING 1
), pipe_keep_1 AS (
INSERT INTO "public"."pipe_undo_HASH_new_1_after" SELECT 'i', k.* FROM pipe_insert_1 AS k
), pipe_count_2 AS (
UPDATE "public"."pipe_undo_HASH_new" SET updated = (SELECT count(*) FROM pipe_update_2) WHERE number = 2 RETURNING 1
)
INSERT INTO "public"."pipe_undo_HASH_new_2_after" SELECT 'i', k.* FROM pipe_insert_2 AS k;

-- Every row is in the target, once.
DO $pipe$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_1 AS s JOIN "public"."team" AS t ON t."id" = s."id";
  IF found <> 2 THEN
    RAISE EXCEPTION 'table %: expected 2 rows with these keys after the load, found %', 'public.team', found;
  END IF;
END
$pipe$;
DO $pipe$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_2 AS s JOIN "public"."person" AS t ON t."id" = s."id";
  IF found <> 2 THEN
    RAISE EXCEPTION 'table %: expected 2 rows with these keys after the load, found %', 'public.person', found;
  END IF;
END
$pipe$;

-- Constraints that wait for the end of the transaction are checked now.
SET CONSTRAINTS ALL IMMEDIATE;

-- Sequences go on after the loaded numbers.
DO $pipe$
DECLARE
  item record;
  top numeric;
  behind boolean;
BEGIN
  FOR item IN
    WITH wanted (number, relation, name) AS (
      VALUES
      (1, '"public"."team"', 'id'),
      (1, '"public"."team"', 'lead_id'),
      (2, '"public"."person"', 'id'),
      (2, '"public"."person"', 'team_id')
    ), behind AS (
      SELECT w.number, w.name, d.objid AS sequence
      FROM wanted AS w
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = to_regclass(w.relation) AND a.attname = w.name
      JOIN pg_catalog.pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
      WHERE d.classid = 'pg_class'::regclass
      UNION
      SELECT w.number, w.name, d.refobjid
      FROM wanted AS w
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = to_regclass(w.relation) AND a.attname = w.name
      JOIN pg_catalog.pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
      JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
    )
    SELECT b.number, b.name, q.seqrelid::regclass AS sequence, q.seqmax
    FROM behind AS b JOIN pg_catalog.pg_sequence AS q ON q.seqrelid = b.sequence
    WHERE q.seqincrement > 0
    ORDER BY b.number, b.name, q.seqrelid
  LOOP
    EXECUTE format('SELECT max(%I) FROM pg_temp.pipe_stage_%s', item.name, item.number) INTO top;
    EXECUTE format('SELECT last_value < $1 OR (last_value = $1 AND NOT is_called) FROM %s', item.sequence) INTO behind USING top;
    IF behind AND top <= item.seqmax THEN
      PERFORM setval(item.sequence, top::bigint);
    END IF;
  END LOOP;
END
$pipe$;

-- How the rows were left, for rollback.sql.
DO $pipe$
DECLARE
  item record;
  before text;
  after text;
  found bigint;
  expected bigint;
  changed bigint := 0;
  time timestamptz;
  names text[] := '{}';
  times timestamptz[] := '{}';
BEGIN
  FOR item IN SELECT * FROM "public"."pipe_undo_HASH_new" WHERE number > 0 ORDER BY number LOOP
    before := format('"public".%I', 'pipe_undo_HASH_new_' || item.number || '_before');
    after := format('"public".%I', 'pipe_undo_HASH_new_' || item.number || '_after');
    EXECUTE format('SELECT count(*) FILTER (WHERE pipe_action = ''u''), count(*) FILTER (WHERE pipe_action IN (''u'', ''n'')) FROM %s', before)
      INTO found, expected;
    IF found <> coalesce(item.updated, found) THEN
      RAISE EXCEPTION 'table %: % rows were changed where % were expected: somebody else changed rows meanwhile, so run this script again',
        item.relation, item.updated, found;
    END IF;
    IF item.key = '{}' AND expected > 0 THEN
      UPDATE "public"."pipe_undo_HASH_new" SET problem = format('rows of table %s were changed that nothing tells apart', item.relation) WHERE number = item.number;
    ELSIF expected > 0 THEN
      EXECUTE format('INSERT INTO %s SELECT ''u'', %s, hashtextextended(ROW(t.*)::text, 0) FROM %s AS t JOIN %s AS k ON %s
        WHERE k.pipe_action IN (''u'', ''n'')', after, (SELECT string_agg('t.' || k, ', ') FROM unnest(item.key) AS k), item.relation, before, item.same);
    END IF;
    IF item.key <> '{}' AND EXISTS (
      SELECT FROM pg_catalog.pg_trigger AS g WHERE g.tgrelid = to_regclass(item.relation) AND NOT g.tgisinternal AND g.tgenabled <> 'D'
    ) THEN
      EXECUTE format('UPDATE %s AS k SET pipe_left = hashtextextended(ROW(t.*)::text, 0) FROM %s AS t
        WHERE k.pipe_action = ''i'' AND %s', after, item.relation, item.same);
    END IF;
    EXECUTE format('SELECT (SELECT count(*) FROM %s) + (SELECT count(*) FROM %s)', before, after) INTO found;
    changed := changed + found + coalesce(item.written, 0);
  END LOOP;
  FOR item IN SELECT * FROM "public"."pipe_undo_HASH_new" WHERE number = 0 LOOP
    EXECUTE format('UPDATE "public"."pipe_undo_HASH_new" AS r SET (sequence_left, called_left) = (SELECT s.last_value, s.is_called FROM %s AS s)
      WHERE r.number = 0 AND r.relation = %L', item.relation, item.relation);
  END LOOP;
  FOR item IN
    SELECT c.relname, format('%I.%I', n.nspname, c.relname) AS name, c.relname LIKE 'pipe\_undo\_HASH\_new%' AS is_new
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = '"public"."pipe_undo_HASH_new"'::regclass)
      AND c.relname ~ '^pipe_undo_HASH(_new)?(_[0-9]+_(before|after))?$'
    ORDER BY is_new, c.relname
  LOOP
    -- What changed nothing leaves the way back as it was.
    IF item.is_new = (changed = 0) THEN
      EXECUTE format('DROP TABLE %s', item.name);
    ELSIF item.is_new THEN
      EXECUTE format('ALTER TABLE %s RENAME TO %I', item.name, replace(item.relname, '_new', ''));
    END IF;
  END LOOP;
  IF changed = 0 THEN
    RETURN;
  END IF;
  UPDATE "public"."pipe_undo_HASH" SET pipeline = 'circle_with_one_deferrable_key', deployed = clock_timestamp();
  -- Of one pipeline the way back of this deployment and of the one before it stay.
  FOR item IN
    SELECT c.relname, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = '"public"."pipe_undo_HASH"'::regclass)
      AND c.relname ~ '^pipe_undo_[0-9a-z]+$' AND pg_has_role(c.relowner, 'USAGE')
      AND EXISTS (SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'deployed' AND NOT a.attisdropped)
  LOOP
    EXECUTE format('SELECT max(deployed) FROM %s WHERE pipeline = %L', item.name, 'circle_with_one_deferrable_key') INTO time;
    IF time IS NOT NULL THEN
      names := names || item.relname::text;
      times := times || time;
    END IF;
  END LOOP;
  FOR item IN
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM (SELECT o.base FROM unnest(names, times) AS o (base, deployed) ORDER BY o.deployed DESC OFFSET 2) AS old
    JOIN pg_catalog.pg_class AS c ON c.relkind = 'r' AND c.relname ~ ('^' || old.base || '(_[0-9]+_(before|after))?$')
      AND c.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = '"public"."pipe_undo_HASH"'::regclass)
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    ORDER BY 1
  LOOP
    EXECUTE format('DROP TABLE %s', item.name);
  END LOOP;
END
$pipe$;

COMMIT;
