-- expect: create_function, create_trigger
-- sql: none
--- before
CREATE TABLE notes (id int PRIMARY KEY, body text, n int DEFAULT 0);
INSERT INTO notes VALUES (1, 'x', 0);
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := NEW.n + 1; RETURN NEW; END $$;
CREATE TRIGGER notes_bump BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION bump();
--- migration
CREATE OR REPLACE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := NEW.n + 2; RETURN NEW; END $$;
DROP TRIGGER notes_bump ON notes;
CREATE TRIGGER notes_bump BEFORE UPDATE OF body ON notes FOR EACH ROW WHEN (OLD.body IS DISTINCT FROM NEW.body) EXECUTE PROCEDURE bump();
