DECLARE
  item record;
BEGIN
  FOR item IN
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'S' AND c.oid IN (
      SELECT d.objid FROM pg_catalog.pg_depend AS d JOIN @register@ AS r ON d.refobjid = to_regclass(r.relation)
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
      UNION
      SELECT d.refobjid FROM pg_catalog.pg_attrdef AS f JOIN @register@ AS r ON f.adrelid = to_regclass(r.relation)
      JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass)
    ORDER BY 1
  LOOP
    EXECUTE format('INSERT INTO @register_in_format@ (number, relation, key, sequence, called) SELECT 0, %L, ''{}'', last_value, is_called FROM %s',
      item.name, item.name);
  END LOOP;
END
