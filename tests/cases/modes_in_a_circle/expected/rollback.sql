-- pipeline modes_in_a_circle, by pipe VERSION
-- run      HASH
-- target   inline
-- spec     sha256 HASH
-- source   teams, sha256 HASH
-- source   people, sha256 HASH
-- table    public.team: replace, 2 rows
-- table    public.person: upsert, 2 rows
-- table    public.badge: append, 2 rows
--
-- Brings back what was there before deploy.sql of this run, unless it has changed since.
-- Run with: psql -f rollback.sql

\set ON_ERROR_STOP on
\set ON_ERROR_ROLLBACK off

BEGIN;

SET LOCAL client_encoding = 'UTF8';
SET LOCAL standard_conforming_strings = on;
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL TimeZone = 'UTC';
SET LOCAL extra_float_digits = 1;
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C';

DO $pipe$
DECLARE
  item record;
  other record;
  before text;
  after text;
  columns text;
  writable text;
  changeable text;
  wrong bigint;
  example text;
  unchanged boolean;
  deletions text := '';
  counts text := '0';
  updates text := '';
  insertions text := '';
  returns text := '';
  statement text;
  switched text := '';
  sequences text := '';
BEGIN
  IF to_regclass('"public"."pipe_undo_HASH"') IS NULL THEN
    RAISE EXCEPTION 'nothing to roll back: run HASH was not deployed here, or changed nothing, or was rolled back already, or two later deployments of its pipeline changed something';
  END IF;
  FOR item IN SELECT * FROM "public"."pipe_undo_HASH" WHERE number > 0 ORDER BY number LOOP
    IF item.problem IS NOT NULL THEN
      RAISE EXCEPTION 'this deployment cannot be rolled back: %', item.problem;
    END IF;
    IF to_regclass(item.relation) IS NULL THEN
      RAISE EXCEPTION 'table % is gone since the deployment: nothing was changed', item.relation;
    END IF;
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', item.relation);
  END LOOP;
  CREATE TEMP TABLE pipe_found (number integer, origin oid, place tid, action "char") ON COMMIT DROP;

  -- Every row is as the deployment left it, and none came into the place of a deleted one.
  FOR item IN SELECT * FROM "public"."pipe_undo_HASH" WHERE number > 0 ORDER BY number LOOP
    before := format('"public".%I', 'pipe_undo_HASH_' || item.number || '_before');
    after := format('"public".%I', 'pipe_undo_HASH_' || item.number || '_after');
    IF item.writer IS NOT NULL THEN
      -- The table was empty: what one transaction wrote is all that came, and whoever wrote a row since is another.
      EXECUTE format('INSERT INTO pg_temp.pipe_found SELECT %s, t.tableoid, t.ctid, ''i'' FROM %s AS t
        WHERE t.xmin = %L::xid8::xid AND to_regclass(%L) = %s AND pg_current_xact_id()::text::numeric - %L < 4294967296',
        item.number, item.relation, item.writer, item.relation, item.target, item.writer);
      GET DIAGNOSTICS wrong = ROW_COUNT;
      IF wrong <> item.written AND item.content IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = to_regclass(item.relation) AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (item.columns)
      ) THEN
        -- Written since, but the whole table may hold what was loaded and nothing else.
        EXECUTE format('SELECT count(*) = %s AND %s FROM %s AS t', item.written, item.content, item.relation) INTO unchanged;
        IF unchanged THEN
          DELETE FROM pg_temp.pipe_found WHERE number = item.number;
          EXECUTE format('INSERT INTO pg_temp.pipe_found SELECT %s, t.tableoid, t.ctid, ''i'' FROM %s AS t', item.number, item.relation);
        END IF;
      END IF;
    ELSIF item.key <> '{}' THEN
      EXECUTE format('INSERT INTO pg_temp.pipe_found SELECT %s, t.tableoid, t.ctid, k.pipe_action FROM %s AS t JOIN %s AS k ON %s
        WHERE hashtextextended(ROW(t.*)::text, 0) = k.pipe_left', item.number, item.relation, after, item.same);
    ELSE
      EXECUTE format('INSERT INTO pg_temp.pipe_found SELECT %s, t.tableoid, t.ctid, ''i''
        FROM (SELECT x.tableoid, x.ctid, x.hash, row_number() OVER (PARTITION BY x.hash ORDER BY x.ctid DESC) AS copy
          FROM (SELECT t.tableoid, t.ctid, hashtextextended(ROW(t.*)::text, 0) AS hash FROM %s AS t) AS x) AS t
        JOIN (SELECT k.pipe_left, row_number() OVER (PARTITION BY k.pipe_left) AS copy FROM %s AS k) AS k ON k.pipe_left = t.hash AND k.copy = t.copy',
        item.number, item.relation, after);
    END IF;
    EXECUTE format('SELECT %s + count(*) - (SELECT count(*) FROM pg_temp.pipe_found WHERE number = %s) FROM %s',
      coalesce(item.written, 0), item.number, after) INTO wrong;
    example := NULL;
    IF wrong <> 0 THEN
      IF item.key <> '{}' AND item.writer IS NULL THEN
        EXECUTE format('SELECT min(ROW(%s)::text) FROM %s AS k WHERE NOT EXISTS (SELECT FROM %s AS t
          WHERE %s AND hashtextextended(ROW(t.*)::text, 0) = k.pipe_left)',
          (SELECT string_agg('k.' || k, ', ') FROM unnest(item.key) AS k), after, item.relation, item.same) INTO example;
      END IF;
      RAISE EXCEPTION 'table %: % rows were changed or deleted since the deployment%: nothing was rolled back',
        item.relation, wrong, coalesce(', such as ' || example, '');
    END IF;
    IF item.key <> '{}' THEN
      EXECUTE format('SELECT count(*), min(ROW(%s)::text) FROM %s AS k JOIN %s AS t ON %s
        WHERE k.pipe_action = ''d'' AND NOT EXISTS (SELECT FROM pg_temp.pipe_found AS f WHERE f.number = %s AND f.origin = t.tableoid AND f.place = t.ctid)',
        (SELECT string_agg('k.' || k, ', ') FROM unnest(item.key) AS k), before, item.relation, item.same, item.number) INTO wrong, example;
      IF wrong <> 0 THEN
        RAISE EXCEPTION 'table %: % rows came since the deployment where it had deleted some, such as %: nothing was rolled back',
          item.relation, wrong, example;
      END IF;
    END IF;
  END LOOP;

  -- Nobody refers to a row that goes: a cascade would take more than the deployment brought.
  FOR item IN
    SELECT r.number, r.relation, format('%I.%I', n.nspname, c.relname) AS child,
      coalesce((SELECT x.number FROM "public"."pipe_undo_HASH" AS x WHERE x.number > 0 AND to_regclass(x.relation) = f.conrelid), -1) AS child_number,
      (SELECT string_agg(format('c.%I = t.%I', a.attname, b.attname), ' AND ')
       FROM unnest(f.conkey, f.confkey) AS k (own, other)
       JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.own
       JOIN pg_catalog.pg_attribute AS b ON b.attrelid = f.confrelid AND b.attnum = k.other) AS refers
    FROM "public"."pipe_undo_HASH" AS r
    JOIN pg_catalog.pg_constraint AS f ON f.contype = 'f' AND f.confrelid = to_regclass(r.relation) AND f.conparentid = 0
    JOIN pg_catalog.pg_class AS c ON c.oid = f.conrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE r.number > 0
    ORDER BY r.number, 3, f.conname
  LOOP
    EXECUTE format('SELECT count(*) FROM %s AS c WHERE EXISTS (
        SELECT FROM %s AS t JOIN pg_temp.pipe_found AS f ON f.place = t.ctid AND f.origin = t.tableoid AND f.number = %s AND f.action = ''i'' WHERE %s)
      AND NOT EXISTS (SELECT FROM pg_temp.pipe_found AS f WHERE f.number = %s AND f.origin = c.tableoid AND f.place = c.ctid)',
      item.child, item.relation, item.number, item.refers, item.child_number) INTO wrong;
    IF wrong <> 0 THEN
      RAISE EXCEPTION 'table %: % rows refer to rows of table % that the deployment brought: nothing was rolled back',
        item.child, wrong, item.relation;
    END IF;
  END LOOP;

  -- Triggers of the target would change what is restored; they wait.
  FOR other IN
    SELECT DISTINCT r.relation, g.tgname, g.tgenabled FROM "public"."pipe_undo_HASH" AS r
    JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = to_regclass(r.relation)
    WHERE r.number > 0 AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')
    ORDER BY 1, 2
  LOOP
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', other.relation, other.tgname);
    switched := switched || format('ALTER TABLE %s ENABLE %sTRIGGER %I;', other.relation,
      CASE other.tgenabled WHEN 'A' THEN 'ALWAYS ' ELSE '' END, other.tgname);
  END LOOP;

  SET CONSTRAINTS ALL DEFERRED;
  FOR item IN SELECT * FROM "public"."pipe_undo_HASH" WHERE number > 0 ORDER BY number LOOP
    before := format('"public".%I', 'pipe_undo_HASH_' || item.number || '_before');
    SELECT string_agg(quote_ident(t.attname), ', ' ORDER BY t.attnum),
      string_agg(format('%1$I = k.%1$I', t.attname), ', ' ORDER BY t.attnum) FILTER (WHERE t.attidentity <> 'a' AND NOT quote_ident(t.attname) = ANY (item.key))
    INTO writable, changeable
    FROM pg_catalog.pg_attribute AS t
    JOIN pg_catalog.pg_attribute AS b ON b.attrelid = before::regclass AND b.attname = t.attname AND b.attnum > 3 AND NOT b.attisdropped
    WHERE t.attrelid = to_regclass(item.relation) AND t.attnum > 0 AND NOT t.attisdropped AND t.attgenerated = '';
    deletions := deletions || format(', deleted_%1$s AS (DELETE FROM %2$s AS t USING pg_temp.pipe_found AS f
      WHERE f.number = %1$s AND f.action = ''i'' AND f.place = t.ctid AND f.origin = t.tableoid RETURNING 1)', item.number, item.relation);
    counts := counts || format(' + (SELECT count(*) FROM deleted_%s)', item.number);
    IF item.key <> '{}' AND changeable IS NOT NULL THEN
      updates := updates || format(', updated_%s AS (UPDATE %s AS t SET %s FROM %s AS k, first AS f
        WHERE f.count >= 0 AND k.pipe_action = ''u'' AND %s RETURNING 1)', item.number, item.relation, changeable, before, item.same);
      returns := returns || format('UPDATE %s AS t SET %s FROM %s AS k WHERE k.pipe_action = ''n'' AND %s;', item.relation, changeable, before, item.same);
    END IF;
    insertions := insertions || format(', inserted_%s AS (INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s WHERE pipe_action = ''d''
      ORDER BY pipe_table, pipe_place RETURNING 1)', item.number, item.relation, writable, writable, before);
  END LOOP;
  -- Foreign keys are checked when a statement ends, so tables that refer to each other go together.
  EXECUTE 'WITH ' || substr(deletions, 3) || ', first AS MATERIALIZED (SELECT ' || counts || ' AS count)' || updates || ' SELECT count FROM first';
  EXECUTE 'WITH ' || substr(insertions, 3) || ' SELECT 1';
  IF returns <> '' THEN
    EXECUTE returns;
  END IF;
  SET CONSTRAINTS ALL IMMEDIATE;

  -- What was there before is there again.
  FOR item IN SELECT * FROM "public"."pipe_undo_HASH" WHERE number > 0 ORDER BY number LOOP
    before := format('"public".%I', 'pipe_undo_HASH_' || item.number || '_before');
    SELECT string_agg('k.' || quote_ident(b.attname), ', ' ORDER BY t.attnum) INTO columns
    FROM pg_catalog.pg_attribute AS t
    JOIN pg_catalog.pg_attribute AS b ON b.attrelid = before::regclass AND b.attname = t.attname AND b.attnum > 3 AND NOT b.attisdropped
    WHERE t.attrelid = to_regclass(item.relation) AND t.attnum > 0 AND NOT t.attisdropped;
    IF item.key <> '{}' THEN
      EXECUTE format('SELECT count(*) FROM %s AS k WHERE NOT EXISTS (SELECT FROM %s AS t WHERE %s AND ROW(t.*)::text = ROW(%s)::text)',
        before, item.relation, item.same, columns) INTO wrong;
    ELSE
      EXECUTE format('SELECT count(*) FROM (SELECT ROW(%s)::text FROM %s AS k EXCEPT ALL SELECT ROW(t.*)::text FROM %s AS t) AS x',
        columns, before, item.relation) INTO wrong;
    END IF;
    IF wrong <> 0 THEN
      RAISE EXCEPTION 'table %: % rows would not be as they were before the deployment: nothing was rolled back', item.relation, wrong;
    END IF;
  END LOOP;
  IF switched <> '' THEN
    EXECUTE switched;
  END IF;

  -- A sequence that went on since stays: its numbers were given out.
  FOR item IN SELECT * FROM "public"."pipe_undo_HASH" WHERE number = 0 AND to_regclass(relation) IS NOT NULL ORDER BY relation LOOP
    sequences := sequences || format('PERFORM setval(%L, %s, %L) FROM %s WHERE last_value = %s AND is_called = %L AND (last_value, is_called) <> (%s, %L);',
      item.relation, item.sequence, item.called, item.relation, item.sequence_left, item.called_left, item.sequence, item.called);
  END LOOP;
  FOR item IN SELECT * FROM "public"."pipe_undo_HASH" WHERE number > 0 LOOP
    EXECUTE format('DROP TABLE "public".%I, "public".%I', 'pipe_undo_HASH_' || item.number || '_before', 'pipe_undo_HASH_' || item.number || '_after');
  END LOOP;
  DROP TABLE "public"."pipe_undo_HASH";
  -- Last, because it is not undone if anything fails.
  EXECUTE 'DO ' || quote_literal('BEGIN ' || sequences || ' END');
END
$pipe$;

COMMIT;
