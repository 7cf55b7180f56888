-- expect: add_column
-- sql: unknown-effect
--- before
CREATE TABLE nums (id serial PRIMARY KEY, n int);
INSERT INTO nums (id, n) VALUES (10, 1);
--- migration
SELECT setval('nums_id_seq', (SELECT max(id) FROM nums));
SELECT count(*) FROM nums;
ALTER TABLE nums ADD COLUMN label text DEFAULT '';
ANALYZE nums;
