-- sql: none
-- expect: sql
--- before
SELECT 1;
--- migration
CREATE SCHEMA tenant_1;
CREATE TABLE tenant_1.contacts (id serial PRIMARY KEY, email text UNIQUE);
CREATE INDEX ON tenant_1.contacts (lower(email));
