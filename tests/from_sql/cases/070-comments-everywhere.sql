-- expect: add_column, set_not_null
-- sql: none
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
UPDATE users SET name = 'x' WHERE name IS NULL;
--- migration
/* a comment
   ; with a semicolon */
ALTER TABLE /* here */ users -- there; too
  ADD COLUMN "note;" text DEFAULT 'a;b'; -- the end
;;
ALTER TABLE users ALTER name /* ; */ SET NOT NULL
