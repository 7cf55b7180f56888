-- expect: drop_index, create_index
-- sql: none
--- before
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE INDEX t_a ON t (a);
INSERT INTO t VALUES (1, 2), (2, NULL);
--- migration
DROP INDEX t_a;
CREATE UNIQUE INDEX t_a ON t (a) WHERE a > 0;
