-- expect: add_enum_value, set_default, backfill
-- sql: none
--- before
CREATE TYPE s AS ENUM ('a', 'b');
CREATE TABLE t (id int PRIMARY KEY, s s DEFAULT 'a');
INSERT INTO t VALUES (1, 'a'), (2, 'b');
--- migration
ALTER TYPE s ADD VALUE 'c' BEFORE 'b';
ALTER TABLE t ALTER COLUMN s SET DEFAULT 'c';
UPDATE t SET s = 'c' WHERE s = 'b';
