-- expect: drop_column, create_index
-- sql: none
-- offline: refused
--- before
CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int, UNIQUE (a, b));
CREATE INDEX t_ac ON t (a, c);
CREATE STATISTICS t_st ON a, c FROM t;
INSERT INTO t VALUES (1, 2, 3, 4);
--- migration
ALTER TABLE t DROP COLUMN a;
CREATE INDEX t_c ON t (c);
