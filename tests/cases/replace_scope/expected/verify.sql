-- pipeline replace_scope, by pipe VERSION
-- run      HASH
-- target   inline
-- spec     sha256 HASH
-- source   raw, sha256 HASH
-- table    public.settings: replace, 2 rows
--
-- Reads only. Run with: psql -f verify.sql

START TRANSACTION READ ONLY;

SET LOCAL client_encoding = 'UTF8';
SET LOCAL standard_conforming_strings = on;
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL TimeZone = 'UTC';
SET LOCAL extra_float_digits = 1;

WITH result AS (
  SELECT 1 AS number, 'public.settings' AS "table", 2::bigint AS expected, count(*) AS found, true AS exact,
  NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
    WHERE a.attrelid = to_regclass('"public"."settings"') AND ((a.attname IN ('tenant', 'name') AND y.typcategory NOT IN ('S', 'E')))) AS compared,
  830528046088180262::numeric AS expected_checksum,
  coalesce(sum(('x' || left(encode(sha256(convert_to(array_to_string(ARRAY[
    quote_nullable(t."tenant"::text),
    quote_nullable(trim_scale(t."id"::numeric)::text),
    quote_nullable(t."name"::text)
  ], ','), 'UTF8')), 'hex'), 15))::bit(60)::bigint), 0) AS found_checksum
  FROM "public"."settings" AS t WHERE t."tenant" = 'o''hara'
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
