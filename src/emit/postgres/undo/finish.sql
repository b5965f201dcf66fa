DECLARE
  item record;
  before text;
  after text;
  found bigint;
  expected bigint;
  changed bigint := 0;
BEGIN
  FOR item IN SELECT * FROM @register@ WHERE number > 0 ORDER BY number LOOP
    before := format('@prefix@%I', '@base@_' || item.number || '_before');
    after := format('@prefix@%I', '@base@_' || item.number || '_after');
    EXECUTE format('SELECT count(*) FILTER (WHERE pipe_action = ''u''), count(*) FILTER (WHERE pipe_action IN (''u'', ''n'')) FROM %s', before)
      INTO found, expected;
    IF found <> coalesce(item.updated, found) THEN
      RAISE EXCEPTION 'table %: % rows were changed where % were expected: somebody else changed rows meanwhile, so run this script again',
        item.relation, item.updated, found;
    END IF;
    IF item.key = '{}' AND expected > 0 THEN
      UPDATE @register@ SET problem = format('rows of table %s were changed that nothing tells apart', item.relation) WHERE number = item.number;
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
  FOR item IN SELECT * FROM @register@ WHERE number = 0 LOOP
    EXECUTE format('UPDATE @register_in_format@ AS r SET (sequence_left, called_left) = (SELECT s.last_value, s.is_called FROM %s AS s)
      WHERE r.number = 0 AND r.relation = %L', item.relation, item.relation);
  END LOOP;
  FOR item IN
    SELECT c.relname, format('%I.%I', n.nspname, c.relname) AS name, c.relname LIKE '@pattern@\_new%' AS is_new
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = '@register@'::regclass)
      AND c.relname ~ '^@kept@(_new)?(_[0-9]+_(before|after))?$'
    ORDER BY is_new, c.relname
  LOOP
    -- What changed nothing leaves the way back as it was.
    IF item.is_new = (changed = 0) THEN
      EXECUTE format('DROP TABLE %s', item.name);
    ELSIF item.is_new THEN
      EXECUTE format('ALTER TABLE %s RENAME TO %I', item.name, replace(item.relname, '_new', ''));
    END IF;
  END LOOP;
END
