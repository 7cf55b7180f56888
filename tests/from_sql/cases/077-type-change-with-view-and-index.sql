-- expect: change_type, create_index
--- before
CREATE TABLE m (id int PRIMARY KEY, amount text NOT NULL, at text);
CREATE INDEX m_amount ON m (amount);
INSERT INTO m VALUES (1, '10', '2020-01-01'), (2, '20', NULL);
CREATE VIEW mv AS SELECT id, amount FROM m;
GRANT SELECT ON mv TO app_reader;
--- migration
BEGIN;
DROP VIEW mv;
ALTER TABLE m ALTER COLUMN amount TYPE numeric(12,2) USING amount::numeric(12,2), ALTER COLUMN at TYPE date USING at::date;
CREATE VIEW mv AS SELECT id, amount FROM m;
GRANT SELECT ON mv TO app_reader;
COMMENT ON VIEW mv IS 'money';
COMMIT;
CREATE INDEX m_at ON m (at);
