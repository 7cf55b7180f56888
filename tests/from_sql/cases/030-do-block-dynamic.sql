-- sql: breaks-applications, unknown-effect
-- expect: sql, add_column
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
--- migration
ALTER TABLE users ADD COLUMN locale text DEFAULT 'en';
DO $$
DECLARE t text;
BEGIN
  FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('ALTER TABLE %I ADD COLUMN tenant_id int', t);
  END LOOP;
END $$;
ALTER TABLE users RENAME COLUMN tenant_id TO org_id;
