-- expect: change_type
-- sql: none
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
--- migration
ALTER TABLE users ALTER COLUMN email TYPE varchar(320);
