-- expect: create_view
-- sql: none
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
CREATE VIEW people AS SELECT id, email FROM users;
--- migration
CREATE OR REPLACE VIEW people AS
  SELECT id, email FROM users WHERE email IS NOT NULL; -- only real ones
CREATE VIEW named_people WITH (security_barrier) AS SELECT id, name FROM users WHERE name IS NOT NULL WITH LOCAL CHECK OPTION;
COMMENT ON VIEW named_people IS 'with a name';
