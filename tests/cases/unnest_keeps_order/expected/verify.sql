-- pipeline unnest_keeps_order, by pipe VERSION
-- run      HASH
-- target   inline
-- spec     sha256 HASH
-- source   raw, sha256 HASH
-- table    people: upsert, 3 rows
-- table    goals: upsert, 3 rows
--
-- Reads only. Run with: psql -f verify.sql

START TRANSACTION READ ONLY;

SET LOCAL client_encoding = 'UTF8';
SET LOCAL standard_conforming_strings = on;
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL TimeZone = 'UTC';
SET LOCAL extra_float_digits = 1;

WITH keys_1 (k1) AS (
  SELECT * FROM unnest(
    coalesce((SELECT array_agg("slug") FROM "people" WHERE false), '{ada,bob,eve}'))
), keys_2 (k1) AS (
  SELECT * FROM unnest(
    coalesce((SELECT array_agg("id") FROM "goals" WHERE false), '{a3dd6efa-2bc7-535f-a549-a94519b7f911,997f6f2d-23ce-5993-9c62-f1ec690ca176,80a5e170-83ed-5323-ab26-4eadb6a82300}'))
), result AS (
  SELECT 1 AS number, 'people' AS "table", 3::bigint AS expected, count(*) AS found, true AS exact,
  NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
    WHERE a.attrelid = to_regclass('"people"') AND ((a.attname IN ('slug') AND y.typcategory NOT IN ('S', 'E')))) AS compared,
  1696584870297364972::numeric AS expected_checksum,
  coalesce(sum(('x' || left(encode(sha256(convert_to(array_to_string(ARRAY[
    quote_nullable(t."id"::uuid::text),
    quote_nullable(t."slug"::text)
  ], ','), 'UTF8')), 'hex'), 15))::bit(60)::bigint), 0) AS found_checksum
  FROM "people" AS t JOIN keys_1 AS k ON t."slug" = k.k1
  UNION ALL
  SELECT 2 AS number, 'goals' AS "table", 3::bigint AS expected, count(*) AS found, true AS exact,
  NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
    WHERE a.attrelid = to_regclass('"goals"') AND ((a.attname IN ('goal') AND y.typcategory NOT IN ('S', 'E')))) AS compared,
  686604028008897800::numeric AS expected_checksum,
  coalesce(sum(('x' || left(encode(sha256(convert_to(array_to_string(ARRAY[
    quote_nullable(t."id"::uuid::text),
    quote_nullable(t."person_id"::uuid::text),
    quote_nullable(t."goal"::text),
    quote_nullable(trim_scale(t."number"::numeric)::text)
  ], ','), 'UTF8')), 'hex'), 15))::bit(60)::bigint), 0) AS found_checksum
  FROM "goals" AS t JOIN keys_2 AS k ON t."id" = k.k1
)
SELECT "table", expected, found, expected_checksum,
  CASE WHEN compared THEN found_checksum::text ELSE 'not checked' END AS found_checksum,
  CASE
    WHEN found < expected OR (exact AND found > expected) THEN 'MISMATCH'
    WHEN compared AND found_checksum <> expected_checksum THEN 'MISMATCH'
    ELSE 'ok'
  END AS result
FROM result
ORDER BY number;

COMMIT;
