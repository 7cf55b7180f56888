-- expect: create_enum, change_type, set_default
-- sql: none
--- before
CREATE TABLE jobs (id int PRIMARY KEY, state text NOT NULL DEFAULT 'queued');
CREATE INDEX jobs_state ON jobs (state);
INSERT INTO jobs VALUES (1, 'queued'), (2, 'done');
--- migration
CREATE TYPE job_state AS ENUM ('queued', 'running', 'done');
ALTER TABLE jobs
  ALTER COLUMN state DROP DEFAULT,
  ALTER COLUMN state TYPE job_state USING state::job_state,
  ALTER COLUMN state SET DEFAULT 'queued';
