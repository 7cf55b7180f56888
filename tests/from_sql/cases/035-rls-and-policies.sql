-- expect: set_row_security, create_policy, grant
-- sql: breaks-applications
--- before
CREATE TABLE docs (id int PRIMARY KEY, tenant_id int NOT NULL, body text);
INSERT INTO docs VALUES (1, 1, 'x'), (2, 2, NULL);
--- migration
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
ALTER TABLE docs FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON docs USING (tenant_id = current_setting('app.tenant')::int);
CREATE POLICY writers ON docs AS PERMISSIVE FOR INSERT TO app_writer WITH CHECK (body IS NOT NULL);
GRANT SELECT, INSERT ON docs TO app_writer;
GRANT SELECT ON docs TO app_reader WITH GRANT OPTION;
