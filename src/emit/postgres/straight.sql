DECLARE
  item record;
  straight boolean := true;
  filled boolean;
BEGIN
  FOR item IN
    SELECT w.*, to_regclass(w.relation) AS target
    FROM (VALUES
@wanted@
    ) AS w (number, relation, key, replaced)
    ORDER BY w.number
  LOOP
    SELECT c.relkind = 'r' AND NOT c.relhasrules AND NOT row_security_active(c.oid) AND has_table_privilege(c.oid, 'SELECT')
      AND c.relam = (SELECT m.oid FROM pg_catalog.pg_am AS m WHERE m.amname = 'heap')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D')
      AND (item.key = '{}' OR EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT EXISTS (
          SELECT FROM generate_series(0, i.indnkeyatts - 1) AS n
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[n]
          WHERE a.attname <> ALL (item.key))))
    INTO straight FROM pg_catalog.pg_class AS c WHERE c.oid = item.target;
    EXIT WHEN NOT straight;
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', item.relation) INTO filled;
    IF item.replaced AND NOT filled THEN
      -- Nobody else's row may come in between and stay.
      EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', item.relation);
      EXECUTE format('SELECT EXISTS (SELECT FROM %s)', item.relation) INTO filled;
    END IF;
    straight := NOT filled;
    EXIT WHEN NOT straight;
  END LOOP;
  PERFORM set_config('pipe.straight', straight::text, true);
END
