-- expect: change_type
-- sql: none
--- before
CREATE TABLE settings (id int PRIMARY KEY, enabled text NOT NULL DEFAULT 'false', retries text, payload text);
INSERT INTO settings VALUES (1, 'true', '3', '{"a": 1}'), (2, 'false', NULL, NULL);
--- migration
ALTER TABLE settings ALTER COLUMN retries TYPE integer USING retries::integer;
ALTER TABLE settings ALTER COLUMN payload TYPE jsonb USING payload::jsonb;
