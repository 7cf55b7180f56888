SELECT count(*) = 3 FROM pg_attribute
WHERE (attrelid, attname) IN (('curlew.backfill_range'::regclass, 'next'), ('curlew.backfill'::regclass, 'claimed'),
                              ('curlew.problem'::regclass, 'place'))
