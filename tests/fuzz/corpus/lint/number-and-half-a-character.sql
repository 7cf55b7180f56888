-- expect: drop_table, drop_column, add_column
-- sql: none
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(25à5) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
CREATE TABLE old_logs (id int);
--- migration
DROP TABLE old_logs CASCADE;
ALTER TABLE users DROP COLUMN name CASCADE;
ALTER TABLE users ADD COLUMN nick text;
