-- offline: refused
-- expect: add_column
-- sql: published-table
--- before
CREATE TABLE pub (id int PRIMARY KEY);
CREATE PUBLICATION p FOR TABLE pub;
--- migration
ALTER TABLE pub ADD COLUMN a int DEFAULT 1;
