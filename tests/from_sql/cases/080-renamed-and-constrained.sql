-- expect: rename_column, add_check, set_not_null, create_index
-- sql: none
--- before
CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 1, z text);
INSERT INTO t VALUES (1, 2, 'x'), (2, 3, NULL);
--- migration
ALTER TABLE t RENAME COLUMN a TO b;
ALTER TABLE t ADD CONSTRAINT b_pos CHECK (b > 0);
ALTER TABLE t ALTER COLUMN b SET NOT NULL;
CREATE INDEX t_b ON t (b, z);
COMMENT ON COLUMN t.b IS 'was a';
ALTER TABLE t ALTER COLUMN b SET DEFAULT 5;
