SELECT (SELECT count(*) FROM pg_class c
         WHERE c.relnamespace = n.oid AND c.relkind = 'r' AND c.relname IN ('audit', 'notification', 'target_record')) = 3
   AND (SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
         WHERE c.relnamespace = n.oid AND c.relname IN ('audit', 'target_record') AND NOT t.tgisinternal
           AND t.tgenabled = 'O') = 4
  FROM (SELECT (SELECT oid FROM pg_namespace WHERE nspname = 'curlew_controller') AS oid) AS n
