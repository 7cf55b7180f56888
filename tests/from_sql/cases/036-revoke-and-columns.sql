-- expect: grant, revoke
--- before
CREATE TABLE secrets (id int PRIMARY KEY, label text, value text);
GRANT SELECT, UPDATE ON secrets TO app_reader;
CREATE SEQUENCE s;
--- migration
REVOKE SELECT ON secrets FROM app_reader;
GRANT SELECT (id, label) ON secrets TO app_reader;
GRANT USAGE ON SEQUENCE s TO app_writer;
