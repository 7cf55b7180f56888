-- offline: refused
-- expect: add_column
--- before
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 2);
--- migration
CREATE TABLE scratch (id int PRIMARY KEY);
DROP TABLE scratch;
CREATE INDEX t_a ON t (a);
DROP INDEX t_a;
ALTER TABLE t ADD CONSTRAINT pos CHECK (a > 0);
ALTER TABLE t DROP CONSTRAINT pos;
ALTER TABLE t ADD COLUMN b int;
ALTER TABLE t ADD COLUMN c int;
ALTER TABLE t DROP COLUMN c;
