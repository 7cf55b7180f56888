SELECT count(*) = 2
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'curlew_controller' AND (c.relname = 'token' AND c.relkind = 'r' OR c.relname = 'token_by_name' AND c.relkind = 'i')
