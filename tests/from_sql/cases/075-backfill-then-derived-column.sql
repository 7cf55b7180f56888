-- expect: backfill, add_column
-- sql: none
--- before
CREATE TABLE tags (id int PRIMARY KEY, name text);
INSERT INTO tags VALUES (1, ' A '), (2, 'b'), (3, NULL);
--- migration
UPDATE tags SET name = trim(name);
ALTER TABLE tags ADD COLUMN slug text;
UPDATE tags SET slug = coalesce(lower(name), 'none');
ALTER TABLE tags ALTER COLUMN slug SET NOT NULL, ADD CONSTRAINT slug_key UNIQUE (slug);
