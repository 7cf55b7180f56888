-- expect: create_table, add_column, add_foreign_key
-- sql: unbatched-data
--- before
CREATE TABLE accounts (id int PRIMARY KEY, name text);
INSERT INTO accounts VALUES (1, 'x'), (2, 'y');
--- migration
CREATE TABLE plans (id int PRIMARY KEY, code text NOT NULL UNIQUE);
INSERT INTO plans (id, code) VALUES (1, 'free'), (2, 'pro');
ALTER TABLE accounts ADD COLUMN plan_id int NOT NULL DEFAULT 1 REFERENCES plans (id);
