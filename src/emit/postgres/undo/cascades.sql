DECLARE
  item record;
  deletes boolean;
  referring text;
  place integer;
  added bigint;
  grown boolean := true;
BEGIN
  WHILE grown LOOP
    grown := false;
    FOR item IN
      SELECT r.number AS parent, format('%I.%I', n.nspname, c.relname) AS child, f.conrelid, f.confdeltype,
        (SELECT string_agg(format('c.%I = p.%I', a.attname, b.attname), ' AND ')
         FROM unnest(f.conkey, f.confkey) AS k (own, other)
         JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.own
         JOIN pg_catalog.pg_attribute AS b ON b.attrelid = f.confrelid AND b.attnum = k.other) AS refers
      FROM @register@ AS r
      JOIN pg_catalog.pg_constraint AS f ON f.contype = 'f' AND f.confrelid = to_regclass(r.relation) AND f.conparentid = 0
      JOIN pg_catalog.pg_class AS c ON c.oid = f.conrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      WHERE r.number > 0 AND f.confdeltype IN ('c', 'n', 'd')
      ORDER BY r.number, 2, f.conname
    LOOP
      EXECUTE format('SELECT EXISTS (SELECT FROM @prefix@%I WHERE pipe_action = ''d'')', '@base@_' || item.parent || '_before') INTO deletes;
      CONTINUE WHEN NOT deletes;
      SELECT r.number INTO place FROM @register@ AS r WHERE r.number > 0 AND r.relation = item.child;
      IF place IS NULL THEN
        SELECT max(r.number) + 1 INTO place FROM @register@ AS r;
        INSERT INTO @register@ (number, relation, key, same)
        SELECT place, item.child, coalesce(array_agg(quote_ident(a.attname) ORDER BY a.attnum), '{}'),
          string_agg(format('t.%1$I = k.%1$I', a.attname), ' AND ' ORDER BY a.attnum)
        FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = item.conrelid AND i.indisprimary;
        EXECUTE format('CREATE TABLE @prefix@%I AS SELECT ''u''::"char" AS pipe_action, t.tableoid AS pipe_table, t.ctid AS pipe_place, t.*
          FROM %s AS t WITH NO DATA', '@base@_' || place || '_before', item.child);
        EXECUTE format('CREATE TABLE @prefix@%I AS SELECT ''u''::"char" AS pipe_action, %s0::bigint AS pipe_left
          FROM %s AS t WITH NO DATA', '@base@_' || place || '_after',
          (SELECT string_agg('t.' || k || ', ', '') FROM @register@ AS r, unnest(r.key) AS k WHERE r.number = place), item.child);
      END IF;
      referring := format('SELECT FROM @prefix@%I AS p WHERE p.pipe_action = ''d'' AND %s', '@base@_' || item.parent || '_before', item.refers);
      EXECUTE format('INSERT INTO @prefix@%1$I SELECT %2$L, c.tableoid, c.ctid, c.* FROM %3$s AS c WHERE EXISTS (%4$s)
          AND NOT EXISTS (SELECT FROM @prefix@%1$I AS b WHERE b.pipe_place = c.ctid AND b.pipe_table = c.tableoid) FOR UPDATE OF c',
        '@base@_' || place || '_before', CASE item.confdeltype WHEN 'c' THEN 'd' ELSE 'n' END, item.child, referring);
      GET DIAGNOSTICS added = ROW_COUNT;
      grown := grown OR added > 0;
      IF item.confdeltype = 'c' THEN
        EXECUTE format('UPDATE @prefix@%I AS c SET pipe_action = ''d'' WHERE c.pipe_action <> ''d'' AND EXISTS (%s)',
          '@base@_' || place || '_before', referring);
        GET DIAGNOSTICS added = ROW_COUNT;
        grown := grown OR added > 0;
      END IF;
    END LOOP;
  END LOOP;
END
