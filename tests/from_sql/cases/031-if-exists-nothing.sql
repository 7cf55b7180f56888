-- expect: add_column
-- sql: none
-- offline: refused
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
--- migration
DROP TABLE IF EXISTS old_things;
DROP INDEX IF EXISTS no_such_index;
ALTER TABLE IF EXISTS gone ADD COLUMN x int;
ALTER TABLE users DROP COLUMN IF EXISTS nickname;
ALTER TABLE users ADD COLUMN IF NOT EXISTS name text;
ALTER TABLE users ADD COLUMN IF NOT EXISTS nick text;
DROP FUNCTION IF EXISTS nothing(int);
DROP TYPE IF EXISTS no_type;
