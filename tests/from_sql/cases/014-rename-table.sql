-- sql: breaks-applications
-- expect: sql
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
CREATE TABLE topics (id serial PRIMARY KEY, title text);
INSERT INTO topics (title) VALUES ('one');
--- migration
ALTER TABLE topics RENAME TO threads;
ALTER INDEX topics_pkey RENAME TO threads_pkey;
ALTER SEQUENCE topics_id_seq RENAME TO threads_id_seq;
ALTER TABLE users ADD COLUMN bio text;
