SELECT count(*) = 3 FROM pg_attribute
WHERE (attrelid, attname) IN (('curlew.run'::regclass, 'plan_signature'), ('curlew.run'::regclass, 'barred'),
                              ('curlew.decision'::regclass, 'signature'))
