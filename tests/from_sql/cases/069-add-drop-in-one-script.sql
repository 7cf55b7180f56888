-- expect: rename_column, add_column, create_index
--- before
CREATE TABLE things (id int PRIMARY KEY, kind int, label text);
CREATE INDEX things_kind ON things (kind);
INSERT INTO things VALUES (1, 2, 'x'), (2, NULL, NULL);
--- migration
ALTER TABLE things RENAME COLUMN kind TO kind_id;
ALTER TABLE things ADD COLUMN kind text;
UPDATE things SET kind = 'k' || kind_id;
DROP INDEX things_kind;
CREATE INDEX things_kind ON things (kind);
