-- expect: add_column
-- sql: none
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
--- migration
BEGIN;
--
-- Add field is_staff to user
--
ALTER TABLE "users" ADD COLUMN "is_staff" boolean DEFAULT false NOT NULL;
ALTER TABLE "users" ALTER COLUMN "is_staff" DROP DEFAULT;
COMMIT;
