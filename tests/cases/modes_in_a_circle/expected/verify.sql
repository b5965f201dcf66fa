-- pipeline modes_in_a_circle, by pipe VERSION
-- run      HASH
-- target   inline
-- spec     sha256 HASH
-- source   teams, sha256 HASH
-- source   people, sha256 HASH
-- table    public.team: replace, 2 rows
-- table    public.person: upsert, 2 rows
-- table    public.badge: append, 2 rows
-- not compared: column name of public.person, which the database prints in its own way
--
-- Reads only. Run with: psql -f verify.sql

START TRANSACTION READ ONLY;

SET LOCAL client_encoding = 'UTF8';
SET LOCAL standard_conforming_strings = on;
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL TimeZone = 'UTC';
SET LOCAL extra_float_digits = 1;

WITH keys_2 (k1) AS (
  SELECT * FROM unnest(
    coalesce((SELECT array_agg("id") FROM "public"."person" WHERE false), '{1,2}'))
), keys_3 (k1, k2) AS (
  SELECT * FROM unnest(
    coalesce((SELECT array_agg("person_id") FROM "public"."badge" WHERE false), '{1,2}'),
    coalesce((SELECT array_agg("code") FROM "public"."badge" WHERE false), '{o''hara,none}'))
), result AS (
  SELECT 1 AS number, 'public.team' AS "table", 2::bigint AS expected, count(*) AS found, true AS exact,
  true AS compared,
  1788279197139796057::numeric AS expected_checksum,
  coalesce(sum(('x' || left(encode(sha256(convert_to(array_to_string(ARRAY[
    quote_nullable(trim_scale(t."id"::numeric)::text),
    quote_nullable(trim_scale(t."lead_id"::numeric)::text)
  ], ','), 'UTF8')), 'hex'), 15))::bit(60)::bigint), 0) AS found_checksum
  FROM "public"."team" AS t
  UNION ALL
  SELECT 2 AS number, 'public.person' AS "table", 2::bigint AS expected, count(*) AS found, true AS exact,
  true AS compared,
  1359781816893710431::numeric AS expected_checksum,
  coalesce(sum(('x' || left(encode(sha256(convert_to(array_to_string(ARRAY[
    quote_nullable(trim_scale(t."id"::numeric)::text),
    quote_nullable(trim_scale(t."team_id"::numeric)::text)
  ], ','), 'UTF8')), 'hex'), 15))::bit(60)::bigint), 0) AS found_checksum
  FROM "public"."person" AS t JOIN keys_2 AS k ON t."id" = k.k1
  UNION ALL
  SELECT 3 AS number, 'public.badge' AS "table", 2::bigint AS expected, count(*) AS found, true AS exact,
  NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
    WHERE a.attrelid = to_regclass('"public"."badge"') AND ((a.attname IN ('code') AND y.typcategory NOT IN ('S', 'E')))) AS compared,
  776739722387479949::numeric AS expected_checksum,
  coalesce(sum(('x' || left(encode(sha256(convert_to(array_to_string(ARRAY[
    quote_nullable(trim_scale(t."person_id"::numeric)::text),
    quote_nullable(t."code"::text)
  ], ','), 'UTF8')), 'hex'), 15))::bit(60)::bigint), 0) AS found_checksum
  FROM "public"."badge" AS t JOIN keys_3 AS k ON t."person_id" = k.k1 AND t."code" = k.k2
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
