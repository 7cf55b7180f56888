-- expect: sql
--- before
CREATE TABLE t (id int PRIMARY KEY);
--- migration
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO app_reader;
CREATE TABLE u (id int PRIMARY KEY, t_id int REFERENCES t);
