-- expect: add_column, drop_column, add_check, set_default, create_index
-- sql: none
--- before
CREATE TABLE orders (id bigint PRIMARY KEY, total numeric NOT NULL, note text, legacy text, currency char(3));
INSERT INTO orders VALUES (1, 10, 'x', 'y', 'EUR'), (2, 0, NULL, NULL, NULL);
--- migration
ALTER TABLE orders
  ADD COLUMN paid_at timestamptz,
  ADD CHECK (total >= 0),
  ALTER COLUMN currency SET DEFAULT 'USD',
  DROP COLUMN legacy;
CREATE INDEX ON orders (paid_at);
