-- expect: create_index, drop_index
-- sql: none
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
CREATE INDEX old_idx ON users (name);
--- migration
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS users_email_lower ON users (lower(email));
CREATE INDEX CONCURRENTLY users_created ON users (created_at DESC NULLS LAST) INCLUDE (name);
DROP INDEX CONCURRENTLY old_idx;
