-- expect: create_table, add_column, create_index
--- before
CREATE SCHEMA billing;
CREATE TYPE billing.kind AS ENUM ('a', 'b');
CREATE TABLE billing.invoices (id int PRIMARY KEY, total numeric);
INSERT INTO billing.invoices VALUES (1, 2);
--- migration
SET search_path TO billing, public;
ALTER TABLE invoices ADD COLUMN kind kind DEFAULT 'a';
CREATE TABLE lines (id serial PRIMARY KEY, invoice_id int NOT NULL REFERENCES invoices ON DELETE CASCADE, kind kind);
CREATE INDEX ON lines (invoice_id);
CREATE VIEW big AS SELECT id FROM invoices WHERE total > 1000;
CREATE FUNCTION total_of(i int) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT total FROM billing.invoices WHERE id = i';
