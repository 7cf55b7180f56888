-- expect: add_column
-- sql: none
--- before
CREATE TABLE people (id int PRIMARY KEY, first_name text, last_name text);
INSERT INTO people VALUES (1, 'Ann', 'Lee'), (2, NULL, 'Ray'), (3, 'Bo', NULL);
--- migration
ALTER TABLE people ADD display_name text, ADD handle text NOT NULL DEFAULT 'none';
UPDATE people p SET display_name = concat_ws(' ', p.first_name, p.last_name);
UPDATE people SET handle = lower(replace(display_name, ' ', '.')) WHERE first_name IS NOT NULL;
UPDATE people SET handle = handle || '-' || id;
ALTER TABLE people ALTER COLUMN display_name SET NOT NULL;
