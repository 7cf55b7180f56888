-- expect: drop_view, change_type
--- before
CREATE TABLE invoices (id int PRIMARY KEY, amount integer NOT NULL, paid boolean DEFAULT false);
CREATE VIEW unpaid AS SELECT id, amount FROM invoices WHERE NOT paid;
INSERT INTO invoices VALUES (1, 100, false), (2, 200, true);
--- migration
DROP VIEW unpaid;
ALTER TABLE invoices ALTER COLUMN amount TYPE bigint;
CREATE VIEW unpaid AS SELECT id, amount FROM invoices WHERE NOT paid;
