-- expect: add_column
-- sql: none
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
--- migration
BEGIN;
SET LOCAL lock_timeout = '5s';
ALTER TABLE users ADD COLUMN slug text;
UPDATE users SET slug = lower(coalesce(name, email));
ALTER TABLE users ALTER COLUMN slug SET NOT NULL;
COMMIT;
