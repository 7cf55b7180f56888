-- sql: breaks-applications, unbatched-data
--- before
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'x'), (2, NULL);
--- migration
ALTER TABLE t RENAME TO t_old;
CREATE TABLE t (id bigint PRIMARY KEY, a varchar(10), b int DEFAULT 0);
INSERT INTO t (id, a) SELECT id, a FROM t_old;
DROP TABLE t_old;
CREATE INDEX t_a ON t (a);
