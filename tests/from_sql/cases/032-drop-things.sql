-- expect: drop_table, drop_view, drop_function, drop_type, drop_sequence, drop_trigger, drop_constraint, drop_index, drop_default, drop_not_null
-- sql: none
--- before
CREATE TYPE mood AS ENUM ('a');
CREATE SEQUENCE counter;
CREATE TABLE old (id int PRIMARY KEY);
CREATE TABLE keep (id int PRIMARY KEY, a int NOT NULL DEFAULT 5 CHECK (a > 0), b text);
CREATE INDEX keep_b ON keep (b);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER trg BEFORE INSERT ON keep FOR EACH ROW EXECUTE FUNCTION f();
CREATE VIEW v AS SELECT id FROM old;
INSERT INTO keep VALUES (1, 1, 'x');
--- migration
DROP VIEW v;
DROP TABLE old;
DROP TRIGGER trg ON keep;
DROP FUNCTION f();
DROP TYPE mood;
DROP SEQUENCE counter;
ALTER TABLE keep DROP CONSTRAINT keep_a_check;
ALTER TABLE keep ALTER COLUMN a DROP DEFAULT, ALTER COLUMN a DROP NOT NULL;
DROP INDEX keep_b;
