-- pipeline csv_types, by pipe VERSION
-- run      HASH
-- target   inline
-- spec     sha256 HASH
-- source   people, sha256 HASH
-- table    people_out: insert, 3 rows
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
    coalesce((SELECT array_agg("id") FROM "people_out" WHERE false), '{1,2,3}'))
), result AS (
  SELECT 1 AS number, 'people_out' AS "table", 3::bigint AS expected, count(*) AS found, true AS exact,
  NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
    WHERE a.attrelid = to_regclass('"people_out"') AND ((a.attname IN ('code', 'note') AND y.typcategory NOT IN ('S', 'E')))) AS compared,
  1956160093141729075::numeric AS expected_checksum,
  coalesce(sum(('x' || left(encode(sha256(convert_to(array_to_string(ARRAY[
    quote_nullable(trim_scale(t."id"::numeric)::text),
    quote_nullable(t."code"::text),
    quote_nullable(trim_scale(t."amount"::numeric)::text),
    quote_nullable(t."active"::boolean::text),
    quote_nullable(t."born"::date::text),
    quote_nullable(t."seen"::timestamp::text),
    quote_nullable(t."note"::text)
  ], ','), 'UTF8')), 'hex'), 15))::bit(60)::bigint), 0) AS found_checksum
  FROM "people_out" AS t JOIN keys_1 AS k ON t."id" = k.k1
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
