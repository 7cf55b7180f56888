ALTER TABLE t ALTER COLUMN a TYPE bigint; -- curlew:allow rewrites-table small
CREATE INDEX ON t (a);
UPDATE t SET a = a + 1 WHERE id IN (SELECT id FROM b);
