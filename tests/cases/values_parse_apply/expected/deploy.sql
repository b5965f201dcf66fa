-- pipeline values_parse_apply, by pipe VERSION
-- run      HASH
-- target   inline
-- spec     sha256 HASH
-- source   people, sha256 HASH
-- table    people_out: insert, 3 rows
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
      (1, 1, 'people_out', '"people_out"', 'name', false),
      (1, 2, 'people_out', '"people_out"', 'level', false),
      (1, 3, 'people_out', '"people_out"', 'kind', false),
      (1, 4, 'people_out', '"people_out"', 'years', false),
      (1, 5, 'people_out', '"people_out"', 'member', false),
      (1, 6, 'people_out', '"people_out"', 'joined', false),
      (1, 7, 'people_out', '"people_out"', 'rate', false),
      (1, 8, 'people_out', '"people_out"', 'origin', false),
      (1, 9, 'people_out', '"people_out"', 'fixed', false)
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

-- Rows of people_out
CREATE TEMP TABLE pg_temp.pipe_stage_1 ON COMMIT DROP AS
SELECT "name", "level", "kind", "years", "member", "joined", "rate", "origin", "fixed" FROM "people_out" WITH NO DATA;
COPY pg_temp.pipe_stage_1 ("name", "level", "kind", "years", "member", "joined", "rate", "origin", "fixed") FROM stdin;
Ada	1	senior	15	t	2020-12-31	0.8500	import	7
Bob	3	junior	3	f	2021-02-01	0.5000	import	7
Eve	\N	odd	\N	t	2022-03-02	0.2500	import	7
\.

ANALYZE pg_temp.pipe_stage_1;
DO $pipe$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_1;
  IF found <> 3 THEN
    RAISE EXCEPTION 'table %: expected 3 rows in this script, found %', 'people_out', found;
  END IF;
END
$pipe$;

-- What is only inserted is not there yet.
DO $pipe$
DECLARE
  found bigint;
  example text;
BEGIN
  SELECT count(*), min(ROW(s."name")::text) INTO found, example
  FROM pg_temp.pipe_stage_1 AS s JOIN "people_out" AS t ON t."name" = s."name";
  IF found > 0 THEN
    RAISE EXCEPTION 'table %: expected none of the % keys, found %, such as %: was this script run before?', 'people_out', 3, found, example;
  END IF;
END
$pipe$;

-- Merge people_out
INSERT INTO "people_out" ("name", "level", "kind", "years", "member", "joined", "rate", "origin", "fixed")
SELECT s."name", s."level", s."kind", s."years", s."member", s."joined", s."rate", s."origin", s."fixed"
FROM pg_temp.pipe_stage_1 AS s;

-- Every row is in the target, once.
DO $pipe$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM pg_temp.pipe_stage_1 AS s JOIN "people_out" AS t ON t."name" = s."name";
  IF found <> 3 THEN
    RAISE EXCEPTION 'table %: expected 3 rows with these keys after the load, found %', 'people_out', found;
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
      (1, '"people_out"', 'level'),
      (1, '"people_out"', 'years'),
      (1, '"people_out"', 'rate'),
      (1, '"people_out"', 'fixed')
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
