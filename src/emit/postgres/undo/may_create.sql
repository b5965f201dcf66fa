BEGIN
  IF NOT has_schema_privilege(@schema@, 'CREATE') THEN
    RAISE EXCEPTION 'role % may not create tables in schema %, where rollback.sql would find the rows as they were', current_user, @schema@
      USING ERRCODE = 'insufficient_privilege', HINT = 'Grant CREATE on the schema, or emit the script with --no-rollback.';
  END IF;
END
