-- expect: rename_column
-- sql: none
--- before
CREATE TABLE pairs (id int PRIMARY KEY, a int, b int);
INSERT INTO pairs VALUES (1, 2, 3), (2, NULL, 5);
--- migration
ALTER TABLE pairs RENAME COLUMN a TO tmp;
ALTER TABLE pairs RENAME COLUMN b TO a;
ALTER TABLE pairs RENAME COLUMN tmp TO b;
