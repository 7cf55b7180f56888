-- offline: differs
-- expect: change_type
--- before
CREATE TABLE parents (id serial PRIMARY KEY, name text);
CREATE TABLE children (id serial PRIMARY KEY, parent_id int REFERENCES parents (id));
INSERT INTO parents (name) VALUES ('a'), ('b');
INSERT INTO children (parent_id) VALUES (1), (NULL);
--- migration
ALTER TABLE children ALTER COLUMN parent_id TYPE bigint;
ALTER TABLE children ALTER COLUMN id TYPE bigint;
