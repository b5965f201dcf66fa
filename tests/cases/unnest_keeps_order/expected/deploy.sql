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

-- Rows of people
CREATE TEMP TABLE pg_temp.pipe_stage_1 ON COMMIT DROP AS
SELECT "id", "slug" FROM "people" WITH NO DATA;
COPY pg_temp.pipe_stage_1 ("id", "slug") FROM stdin;
a277c647-a369-58d8-a1d4-c66c3b0fc9a4	ada
51223dfe-caf0-5582-811b-f9f19d864864	bob
cb5c1881-84a2-58f2-b934-cd5cac75d98b	eve
\.

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

-- Rows of goals
CREATE TEMP TABLE pg_temp.pipe_stage_2 ON COMMIT DROP AS
SELECT "id", "person_id", "goal", "number" FROM "goals" WITH NO DATA;
COPY pg_temp.pipe_stage_2 ("id", "person_id", "goal", "number") FROM stdin;
a3dd6efa-2bc7-535f-a549-a94519b7f911	a277c647-a369-58d8-a1d4-c66c3b0fc9a4	learn	1
997f6f2d-23ce-5993-9c62-f1ec690ca176	a277c647-a369-58d8-a1d4-c66c3b0fc9a4	rest	2
80a5e170-83ed-5323-ab26-4eadb6a82300	cb5c1881-84a2-58f2-b934-cd5cac75d98b	win	1
\.

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

-- Merge people
WITH pipe_update_1 AS (
UPDATE "people" AS t
SET "id" = s."id"
FROM pg_temp.pipe_stage_1 AS s
WHERE t."slug" = s."slug"
  AND ROW(t."id")::record OPERATOR(pg_catalog.*<>) ROW(s."id")::record
RETURNING 1
)
INSERT INTO "people" ("id", "slug")
SELECT s."id", s."slug"
FROM pg_temp.pipe_stage_1 AS s
CROSS JOIN (SELECT count(*) FROM pipe_update_1) AS first
WHERE NOT EXISTS (SELECT FROM "people" AS t WHERE t."slug" = s."slug");

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
)
INSERT INTO "goals" ("id", "person_id", "goal", "number")
SELECT s."id", s."person_id", s."goal", s."number"
FROM pg_temp.pipe_stage_2 AS s
CROSS JOIN (SELECT count(*) FROM pipe_update_2) AS first
WHERE NOT EXISTS (SELECT FROM "goals" AS t WHERE t."id" = s."id");

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

COMMIT;
