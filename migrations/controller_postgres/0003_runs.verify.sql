SELECT count(*) = 1
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'curlew_controller' AND c.relkind = 'r' AND c.relname = 'run'
