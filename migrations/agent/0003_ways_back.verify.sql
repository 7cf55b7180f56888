SELECT count(*) = 2 FROM pg_attribute
WHERE (attrelid, attname) IN (('curlew.backup'::regclass, 'restore_hint'), ('curlew.measurement'::regclass, 'value'))
