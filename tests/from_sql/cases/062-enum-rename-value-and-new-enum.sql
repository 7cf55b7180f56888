-- expect: rename_enum_value, create_enum, add_column
-- sql: breaks-applications
--- before
CREATE TYPE phase AS ENUM ('todo', 'doing');
CREATE TABLE cards (id int PRIMARY KEY, phase phase);
INSERT INTO cards VALUES (1, 'todo'), (2, NULL);
--- migration
ALTER TYPE phase RENAME VALUE 'doing' TO 'in progress';
CREATE TYPE priority AS ENUM ('low', 'high');
ALTER TABLE cards ADD COLUMN priority priority NOT NULL DEFAULT 'low';
