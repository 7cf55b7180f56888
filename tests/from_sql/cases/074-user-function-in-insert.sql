-- expect: sql
--- before
CREATE TABLE log (id int, what text);
CREATE TABLE side (id int);
CREATE FUNCTION note(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'ALTER TABLE side ADD COLUMN IF NOT EXISTS extra int'; RETURN t; END $$;
--- migration
INSERT INTO log (id, what) SELECT 1, note('x');
ALTER TABLE side ALTER COLUMN extra SET DEFAULT 7;
