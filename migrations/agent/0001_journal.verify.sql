SELECT count(*) = 6 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'curlew' AND c.relkind = 'r'
  AND c.relname IN ('migration', 'target', 'run', 'step', 'backfill', 'problem')
