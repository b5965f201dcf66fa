-- pipeline replace_scope, by pipe VERSION
-- run      HASH
-- target   inline
-- spec     sha256 HASH
-- source   raw, sha256 HASH
-- table    public.settings: replace, 2 rows
--
-- Run with: psql -f deploy.sql

\set ON_ERROR_STOP on

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
      (1, 1, 'public.settings', '"public"."settings"', 'tenant', false),
      (1, 2, 'public.settings', '"public"."settings"', 'id', false),
      (1, 3, 'public.settings', '"public"."settings"', 'name', false)
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

-- Rows of public.settings
CREATE TEMP TABLE pg_temp.pipe_stage_1 ON COMMIT DROP AS
SELECT "tenant", "id", "name" FROM "public"."settings" WITH NO DATA;
COPY pg_temp.pipe_stage_1 ("tenant", "id", "name") FROM stdin;
o'hara	1	a
o'hara	2	b
\.

DO $pipe$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_1;
  IF found <> 2 THEN
    RAISE EXCEPTION 'table %: expected 2 rows in this script, found %', 'public.settings', found;
  END IF;
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_1 AS s WHERE (s."tenant" = 'o''hara') IS NOT TRUE;
  IF found <> 0 THEN
    RAISE EXCEPTION 'table %: expected 0 rows outside of the replaced scope, found %', 'public.settings', found;
  END IF;
END
$pipe$;

-- What a replacement leaves out goes, children first.
DELETE FROM "public"."settings" AS t
WHERE t."tenant" = 'o''hara'
  AND NOT EXISTS (SELECT FROM pg_temp.pipe_stage_1 AS s WHERE t."tenant" = s."tenant" AND t."id" = s."id");

-- Merge public.settings
WITH pipe_update_1 AS (
UPDATE "public"."settings" AS t
SET "name" = s."name"
FROM pg_temp.pipe_stage_1 AS s
WHERE t."tenant" = s."tenant" AND t."id" = s."id"
  AND ROW(t."name")::record OPERATOR(pg_catalog.*<>) ROW(s."name")::record
RETURNING 1
)
INSERT INTO "public"."settings" ("tenant", "id", "name")
SELECT s."tenant", s."id", s."name"
FROM pg_temp.pipe_stage_1 AS s
CROSS JOIN (SELECT count(*) FROM pipe_update_1) AS first
WHERE NOT EXISTS (SELECT FROM "public"."settings" AS t WHERE t."tenant" = s."tenant" AND t."id" = s."id");

-- Every row is in the target, once.
DO $pipe$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_1 AS s JOIN "public"."settings" AS t ON t."tenant" = s."tenant" AND t."id" = s."id";
  IF found <> 2 THEN
    RAISE EXCEPTION 'table %: expected 2 rows with these keys after the load, found %', 'public.settings', found;
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
      (1, '"public"."settings"', 'id')
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

COMMIT;
