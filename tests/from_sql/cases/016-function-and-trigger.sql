-- expect: create_function, create_trigger, add_column
-- sql: none
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
--- migration
ALTER TABLE users ADD COLUMN updated_at timestamptz;
CREATE OR REPLACE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at = now();
  RETURN NEW;
END;
$$;
DROP TRIGGER IF EXISTS users_updated ON users;
CREATE TRIGGER users_updated BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION set_updated_at();
