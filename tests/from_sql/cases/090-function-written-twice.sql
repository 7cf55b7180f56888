-- offline: refused
-- expect: create_function, add_column
--- before
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 2);
--- migration
CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE OR REPLACE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT 2';
ALTER TABLE t ADD COLUMN b int DEFAULT 0;
DROP FUNCTION IF EXISTS g(int);
CREATE FUNCTION g(x int) RETURNS int LANGUAGE sql AS 'SELECT f(x)';
