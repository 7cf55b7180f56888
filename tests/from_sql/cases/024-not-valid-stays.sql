-- expect: sql
-- sql: none
--- before
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, -5);
--- migration
ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0) NOT VALID;
