-- sql: breaks-applications
-- expect: sql
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
CREATE VIEW people AS SELECT id, email FROM users;
--- migration
DROP VIEW IF EXISTS people;
CREATE VIEW people AS SELECT id, name, email FROM users;
