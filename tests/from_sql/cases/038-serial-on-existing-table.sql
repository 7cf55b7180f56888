-- expect: create_sequence, add_column, add_unique
-- sql: none
--- before
CREATE TABLE items (name text);
INSERT INTO items VALUES ('a'), ('b'), (NULL);
--- migration
ALTER TABLE items ADD COLUMN position serial;
ALTER TABLE items ADD UNIQUE (position);
