-- offline: refused
-- expect: add_column, drop_column
-- sql: none
--- before
CREATE TABLE contacts (id int PRIMARY KEY, first text NOT NULL, last text NOT NULL, extra int);
CREATE INDEX contacts_name ON contacts (last, extra);
INSERT INTO contacts VALUES (1, 'a', 'b', 1), (2, 'c', 'd', NULL);
--- migration
ALTER TABLE contacts ADD COLUMN full_name text;
UPDATE contacts SET full_name = first || ' ' || last;
ALTER TABLE contacts ALTER COLUMN full_name SET NOT NULL;
ALTER TABLE contacts DROP COLUMN first, DROP COLUMN last;
