-- expect: create_function, create_trigger, set_comment
-- sql: none
--- before
CREATE TABLE t (id int PRIMARY KEY, a int);
--- migration
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
ALTER TABLE t ADD CONSTRAINT a_pos CHECK (a > 0);
CREATE TYPE mood AS ENUM ('x');
COMMENT ON FUNCTION f() IS 'f';
COMMENT ON TRIGGER g ON t IS 'g';
COMMENT ON CONSTRAINT a_pos ON t IS 'positive';
COMMENT ON TYPE mood IS 'm';
COMMENT ON TABLE t IS 't';
COMMENT ON SCHEMA public IS 'p';
