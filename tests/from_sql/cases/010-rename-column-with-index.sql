-- expect: rename_column, rename_index, rename_constraint
-- sql: none
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
CREATE TABLE comments (id int PRIMARY KEY, author_id bigint CONSTRAINT comments_author_id_fkey REFERENCES users, body text);
CREATE INDEX comments_author_id_idx ON comments (author_id);
INSERT INTO comments VALUES (1, 1, 'hi'), (2, NULL, 'yo');
--- migration
ALTER TABLE comments RENAME COLUMN author_id TO user_id;
ALTER INDEX comments_author_id_idx RENAME TO comments_user_id_idx;
ALTER TABLE comments RENAME CONSTRAINT comments_author_id_fkey TO comments_user_id_fkey;
