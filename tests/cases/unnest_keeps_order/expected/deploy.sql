-- pipeline unnest_keeps_order, by pipe VERSION
-- run      HASH
-- target   inline
-- spec     sha256 HASH
-- source   raw, sha256 HASH
-- table    people: upsert, 3 rows
-- table    goals: upsert, 3 rows
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
      (1, 1, 'people', '"people"', 'id', false),
      (1, 2, 'people', '"people"', 'slug', false),
      (2, 1, 'goals', '"goals"', 'id', false),
      (2, 2, 'goals', '"goals"', 'person_id', false),
      (2, 3, 'goals', '"goals"', 'goal', false),
      (2, 4, 'goals', '"goals"', 'number', false)
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

-- Here stays what rollback.sql needs.
DO $pipe$
BEGIN
  IF NOT has_schema_privilege(current_schema(), 'CREATE') THEN
    RAISE EXCEPTION 'role % may not create tables in schema %, where rollback.sql would find the rows as they were', current_user, current_schema()
      USING ERRCODE = 'insufficient_privilege', HINT = 'Grant CREATE on the schema, or emit the script with --no-rollback.';
  END IF;
END
$pipe$;
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C';
CREATE TABLE "pipe_undo_HASH_new" (number integer NOT NULL, relation text NOT NULL, key text[] NOT NULL, same text, updated bigint,
  problem text, target oid, writer xid8, written bigint,
  columns text[], content text, pipeline text, deployed timestamptz, sequence bigint, called boolean, sequence_left bigint, called_left boolean);
CREATE TABLE "pipe_undo_HASH_new_1_before" AS
SELECT 'u'::"char" AS pipe_action, t.tableoid AS pipe_table, t.ctid AS pipe_place, t.* FROM "people" AS t WITH NO DATA;
CREATE TABLE "pipe_undo_HASH_new_1_after" AS
SELECT 'u'::"char" AS pipe_action, t."slug", 0::bigint AS pipe_left FROM "people" AS t WITH NO DATA;
INSERT INTO "pipe_undo_HASH_new" (number, relation, key, same)
SELECT 1, format('%I.%I', n.nspname, c.relname),
  ARRAY(SELECT quote_ident(k) FROM unnest(ARRAY['slug']::text[]) WITH ORDINALITY AS l (k, place) ORDER BY place), 't."slug" = k."slug"'
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"people"');
CREATE TABLE "pipe_undo_HASH_new_2_before" AS
SELECT 'u'::"char" AS pipe_action, t.tableoid AS pipe_table, t.ctid AS pipe_place, t.* FROM "goals" AS t WITH NO DATA;
CREATE TABLE "pipe_undo_HASH_new_2_after" AS
SELECT 'u'::"char" AS pipe_action, t."id", 0::bigint AS pipe_left FROM "goals" AS t WITH NO DATA;
INSERT INTO "pipe_undo_HASH_new" (number, relation, key, same)
SELECT 2, format('%I.%I', n.nspname, c.relname),
  ARRAY(SELECT quote_ident(k) FROM unnest(ARRAY['id']::text[]) WITH ORDINALITY AS l (k, place) ORDER BY place), 't."id" = k."id"'
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"goals"');
DO $pipe$
DECLARE
  item record;
BEGIN
  FOR item IN
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'S' AND c.oid IN (
      SELECT d.objid FROM pg_catalog.pg_depend AS d JOIN "pipe_undo_HASH_new" AS r ON d.refobjid = to_regclass(r.relation)
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
      UNION
      SELECT d.refobjid FROM pg_catalog.pg_attrdef AS f JOIN "pipe_undo_HASH_new" AS r ON f.adrelid = to_regclass(r.relation)
      JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass)
    ORDER BY 1
  LOOP
    EXECUTE format('INSERT INTO "pipe_undo_HASH_new" (number, relation, key, sequence, called) SELECT 0, %L, ''{}'', last_value, is_called FROM %s',
      item.name, item.name);
  END LOOP;
END
$pipe$;

-- Rows go straight into tables that are empty, unless something there listens to them.
DO $pipe$
DECLARE
  item record;
  straight boolean := true;
  filled boolean;
BEGIN
  FOR item IN
    SELECT w.*, to_regclass(w.relation) AS target
    FROM (VALUES
      (1, '"people"', ARRAY['slug']::text[], false),
      (2, '"goals"', ARRAY['id']::text[], false)
    ) AS w (number, relation, key, replaced)
    ORDER BY w.number
  LOOP
    SELECT c.relkind = 'r' AND NOT c.relhasrules AND NOT row_security_active(c.oid) AND has_table_privilege(c.oid, 'SELECT')
      AND c.relam = (SELECT m.oid FROM pg_catalog.pg_am AS m WHERE m.amname = 'heap')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D')
      AND (item.key = '{}' OR EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT EXISTS (
          SELECT FROM generate_series(0, i.indnkeyatts - 1) AS n
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[n]
          WHERE a.attname <> ALL (item.key))))
    INTO straight FROM pg_catalog.pg_class AS c WHERE c.oid = item.target;
    EXIT WHEN NOT straight;
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', item.relation) INTO filled;
    IF item.replaced AND NOT filled THEN
      -- Nobody else's row may come in between and stay.
      EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', item.relation);
      EXECUTE format('SELECT EXISTS (SELECT FROM %s)', item.relation) INTO filled;
    END IF;
    straight := NOT filled;
    EXIT WHEN NOT straight;
  END LOOP;
  PERFORM set_config('pipe.straight', straight::text, true);
END
$pipe$;
SELECT s.straight AS pipe_straight,
  CASE WHEN s.straight THEN '"people"' ELSE 'pg_temp.pipe_stage_1' END AS pipe_into_1,
  CASE WHEN s.straight THEN '"goals"' ELSE 'pg_temp.pipe_stage_2' END AS pipe_into_2
FROM (SELECT current_setting('pipe.straight')::boolean AS straight) AS s
\gset

\if :pipe_straight
\else
CREATE TEMP TABLE pg_temp.pipe_stage_1 ON COMMIT DROP AS
SELECT "id", "slug" FROM "people" WITH NO DATA;
CREATE TEMP TABLE pg_temp.pipe_stage_2 ON COMMIT DROP AS
SELECT "id", "person_id", "goal", "number" FROM "goals" WITH NO DATA;
\endif

-- Rows of people
COPY :pipe_into_1 ("id", "slug") FROM stdin;
a277c647-a369-58d8-a1d4-c66c3b0fc9a4	ada
51223dfe-caf0-5582-811b-f9f19d864864	bob
cb5c1881-84a2-58f2-b934-cd5cac75d98b	eve
\.


-- Rows of goals
COPY :pipe_into_2 ("id", "person_id", "goal", "number") FROM stdin;
a3dd6efa-2bc7-535f-a549-a94519b7f911	a277c647-a369-58d8-a1d4-c66c3b0fc9a4	learn	1
997f6f2d-23ce-5993-9c62-f1ec690ca176	a277c647-a369-58d8-a1d4-c66c3b0fc9a4	rest	2
80a5e170-83ed-5323-ab26-4eadb6a82300	cb5c1881-84a2-58f2-b934-cd5cac75d98b	win	1
\.

\if :pipe_straight

-- What went straight in was written by this transaction.
CREATE TEMP VIEW pg_temp.pipe_stage_1 AS
SELECT t."id", t."slug" FROM "people" AS t WHERE t.xmin = (SELECT pg_current_xact_id()::xid);
DO $pipe$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_1;
  IF found <> 3 THEN
    RAISE EXCEPTION 'table %: expected 3 rows in this script, found %', 'people', found;
  END IF;
END
$pipe$;
CREATE TEMP VIEW pg_temp.pipe_stage_2 AS
SELECT t."id", t."person_id", t."goal", t."number" FROM "goals" AS t WHERE t.xmin = (SELECT pg_current_xact_id()::xid);
DO $pipe$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_2;
  IF found <> 3 THEN
    RAISE EXCEPTION 'table %: expected 3 rows in this script, found %', 'goals', found;
  END IF;
END
$pipe$;

-- That is how rollback.sql knows it.
UPDATE "pipe_undo_HASH_new" SET target = to_regclass(relation), writer = pg_current_xact_id(), written = 3,
  columns = ARRAY['id', 'slug'], content = E'NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid\n    WHERE a.attrelid = to_regclass(''"people"'') AND ((a.attname IN (''slug'') AND y.typcategory NOT IN (''S'', ''E''))))\n  AND coalesce(sum((''x'' || left(encode(sha256(convert_to(array_to_string(ARRAY[\n    quote_nullable(t."id"::uuid::text),\n    quote_nullable(t."slug"::text)\n  ], '',''), ''UTF8'')), ''hex''), 15))::bit(60)::bigint), 0) = 1696584870297364972'
WHERE number = 1;
UPDATE "pipe_undo_HASH_new" SET target = to_regclass(relation), writer = pg_current_xact_id(), written = 3,
  columns = ARRAY['id', 'person_id', 'goal', 'number'], content = E'NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid\n    WHERE a.attrelid = to_regclass(''"goals"'') AND ((a.attname IN (''goal'') AND y.typcategory NOT IN (''S'', ''E''))))\n  AND coalesce(sum((''x'' || left(encode(sha256(convert_to(array_to_string(ARRAY[\n    quote_nullable(t."id"::uuid::text),\n    quote_nullable(t."person_id"::uuid::text),\n    quote_nullable(t."goal"::text),\n    quote_nullable(trim_scale(t."number"::numeric)::text)\n  ], '',''), ''UTF8'')), ''hex''), 15))::bit(60)::bigint), 0) = 686604028008897800'
WHERE number = 2;

\else

-- All rows are here.
DO $pipe$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_1;
  IF found <> 3 THEN
    RAISE EXCEPTION 'table %: expected 3 rows in this script, found %', 'people', found;
  END IF;
END
$pipe$;
DO $pipe$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_2;
  IF found <> 3 THEN
    RAISE EXCEPTION 'table %: expected 3 rows in this script, found %', 'goals', found;
  END IF;
END
$pipe$;

-- Rows that change or go are kept.
INSERT INTO "pipe_undo_HASH_new_1_before"
SELECT 'u', t.tableoid, t.ctid, t.*
FROM "people" AS t
JOIN pg_temp.pipe_stage_1 AS s ON t."slug" = s."slug"
WHERE ROW(t."id")::record OPERATOR(pg_catalog.*<>) ROW(s."id")::record
FOR UPDATE OF t;
INSERT INTO "pipe_undo_HASH_new_2_before"
SELECT 'u', t.tableoid, t.ctid, t.*
FROM "goals" AS t
JOIN pg_temp.pipe_stage_2 AS s ON t."id" = s."id"
WHERE ROW(t."person_id", t."goal", t."number")::record OPERATOR(pg_catalog.*<>) ROW(s."person_id", s."goal", s."number")::record
FOR UPDATE OF t;

-- Merge people
WITH pipe_update_1 AS (
UPDATE "people" AS t
SET "id" = s."id"
FROM pg_temp.pipe_stage_1 AS s
WHERE t."slug" = s."slug"
  AND ROW(t."id")::record OPERATOR(pg_catalog.*<>) ROW(s."id")::record
RETURNING 1
), pipe_insert_1 AS (
INSERT INTO "people" AS t ("id", "slug")
SELECT s."id", s."slug"
FROM pg_temp.pipe_stage_1 AS s
CROSS JOIN (SELECT count(*) FROM pipe_update_1) AS first
WHERE NOT EXISTS (SELECT FROM "people" AS t WHERE t."slug" = s."slug")
RETURNING t."slug", hashtextextended(ROW(t.*)::text, 0) AS pipe_left
), pipe_count_1 AS (
UPDATE "pipe_undo_HASH_new" SET updated = (SELECT count(*) FROM pipe_update_1) WHERE number = 1 RETURNING 1
)
INSERT INTO "pipe_undo_HASH_new_1_after" SELECT 'i', k.* FROM pipe_insert_1 AS k;

-- Merge goals
WITH pipe_update_2 AS (
UPDATE "goals" AS t
SET "person_id" = s."person_id",
    "goal" = s."goal",
    "number" = s."number"
FROM pg_temp.pipe_stage_2 AS s
WHERE t."id" = s."id"
  AND ROW(t."person_id", t."goal", t."number")::record OPERATOR(pg_catalog.*<>) ROW(s."person_id", s."goal", s."number")::record
RETURNING 1
), pipe_insert_2 AS (
INSERT INTO "goals" AS t ("id", "person_id", "goal", "number")
SELECT s."id", s."person_id", s."goal", s."number"
FROM pg_temp.pipe_stage_2 AS s
CROSS JOIN (SELECT count(*) FROM pipe_update_2) AS first
WHERE NOT EXISTS (SELECT FROM "goals" AS t WHERE t."id" = s."id")
RETURNING t."id", hashtextextended(ROW(t.*)::text, 0) AS pipe_left
), pipe_count_2 AS (
UPDATE "pipe_undo_HASH_new" SET updated = (SELECT count(*) FROM pipe_update_2) WHERE number = 2 RETURNING 1
)
INSERT INTO "pipe_undo_HASH_new_2_after" SELECT 'i', k.* FROM pipe_insert_2 AS k;

-- Every row is in the target, once.
DO $pipe$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_1 AS s JOIN "people" AS t ON t."slug" = s."slug";
  IF found <> 3 THEN
    RAISE EXCEPTION 'table %: expected 3 rows with these keys after the load, found %', 'people', found;
  END IF;
END
$pipe$;
DO $pipe$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_2 AS s JOIN "goals" AS t ON t."id" = s."id";
  IF found <> 3 THEN
    RAISE EXCEPTION 'table %: expected 3 rows with these keys after the load, found %', 'goals', found;
  END IF;
END
$pipe$;

\endif

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
      (2, '"goals"', 'number')
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

\if :pipe_straight
DROP VIEW pg_temp.pipe_stage_1, pg_temp.pipe_stage_2;
\endif

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
  FOR item IN SELECT * FROM "pipe_undo_HASH_new" WHERE number > 0 ORDER BY number LOOP
    before := format('%I', 'pipe_undo_HASH_new_' || item.number || '_before');
    after := format('%I', 'pipe_undo_HASH_new_' || item.number || '_after');
    EXECUTE format('SELECT count(*) FILTER (WHERE pipe_action = ''u''), count(*) FILTER (WHERE pipe_action IN (''u'', ''n'')) FROM %s', before)
      INTO found, expected;
    IF found <> coalesce(item.updated, found) THEN
      RAISE EXCEPTION 'table %: % rows were changed where % were expected: somebody else changed rows meanwhile, so run this script again',
        item.relation, item.updated, found;
    END IF;
    IF item.key = '{}' AND expected > 0 THEN
      UPDATE "pipe_undo_HASH_new" SET problem = format('rows of table %s were changed that nothing tells apart', item.relation) WHERE number = item.number;
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
  FOR item IN SELECT * FROM "pipe_undo_HASH_new" WHERE number = 0 LOOP
    EXECUTE format('UPDATE "pipe_undo_HASH_new" AS r SET (sequence_left, called_left) = (SELECT s.last_value, s.is_called FROM %s AS s)
      WHERE r.number = 0 AND r.relation = %L', item.relation, item.relation);
  END LOOP;
  FOR item IN
    SELECT c.relname, format('%I.%I', n.nspname, c.relname) AS name, c.relname LIKE 'pipe\_undo\_HASH\_new%' AS is_new
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = '"pipe_undo_HASH_new"'::regclass)
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
  UPDATE "pipe_undo_HASH" SET pipeline = 'unnest_keeps_order', deployed = clock_timestamp();
  -- Of one pipeline the way back of this deployment and of the one before it stay.
  FOR item IN
    SELECT c.relname, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = '"pipe_undo_HASH"'::regclass)
      AND c.relname ~ '^pipe_undo_[0-9a-z]+$' AND pg_has_role(c.relowner, 'USAGE')
      AND EXISTS (SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'deployed' AND NOT a.attisdropped)
  LOOP
    EXECUTE format('SELECT max(deployed) FROM %s WHERE pipeline = %L', item.name, 'unnest_keeps_order') INTO time;
    IF time IS NOT NULL THEN
      names := names || item.relname::text;
      times := times || time;
    END IF;
  END LOOP;
  FOR item IN
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM (SELECT o.base FROM unnest(names, times) AS o (base, deployed) ORDER BY o.deployed DESC OFFSET 2) AS old
    JOIN pg_catalog.pg_class AS c ON c.relkind = 'r' AND c.relname ~ ('^' || old.base || '(_[0-9]+_(before|after))?$')
      AND c.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = '"pipe_undo_HASH"'::regclass)
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    ORDER BY 1
  LOOP
    EXECUTE format('DROP TABLE %s', item.name);
  END LOOP;
END
$pipe$;

COMMIT;
