-- expect: drop_constraint, backfill, add_check
-- sql: none
--- before
CREATE TABLE tasks (id int PRIMARY KEY, state text CONSTRAINT state_ok CHECK (state IN ('new', 'done')));
INSERT INTO tasks VALUES (1, 'new'), (2, 'done'), (3, NULL);
--- migration
ALTER TABLE tasks DROP CONSTRAINT state_ok;
UPDATE tasks SET state = 'open' WHERE state = 'new';
UPDATE tasks SET state = 'open' WHERE state IS NULL;
ALTER TABLE tasks ADD CONSTRAINT state_ok CHECK (state IN ('open', 'done'));
ALTER TABLE tasks ALTER COLUMN state SET NOT NULL, ALTER COLUMN state SET DEFAULT 'open';
