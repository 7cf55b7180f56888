-- What a chaos round migrates. Clients write account and account_twin, which no migration touches, in one
-- transaction. Variable: rows.
SET ROLE chaos_owner;
CREATE TABLE account (
  id bigint PRIMARY KEY,
  owner integer NOT NULL,
  serial integer NOT NULL,
  phone text NOT NULL,
  email text,
  hits integer NOT NULL DEFAULT 0,
  score integer NOT NULL DEFAULT 0,
  weight integer NOT NULL DEFAULT 0,
  note text NOT NULL DEFAULT '',
  old_code text
);
CREATE INDEX account_weight_idx ON account (weight);
CREATE TABLE account_twin (LIKE account INCLUDING ALL);
CREATE TABLE ledger (id integer PRIMARY KEY, amount integer) PARTITION BY RANGE (id);
CREATE TABLE ledger_1 PARTITION OF ledger FOR VALUES FROM (1) TO (2001);
CREATE TABLE ledger_2 PARTITION OF ledger FOR VALUES FROM (2001) TO (4001);
CREATE TABLE ledger_3 PARTITION OF ledger FOR VALUES FROM (4001) TO (6001);
CREATE TABLE tally (id integer PRIMARY KEY, times integer NOT NULL);
CREATE TABLE attic (id integer PRIMARY KEY, stale boolean NOT NULL, words text NOT NULL);
CREATE TABLE untouched (id integer PRIMARY KEY, words text NOT NULL);
INSERT INTO account SELECT i, 0, i, lpad(i::text, 10, '0'), 'p' || i || '@example' || i % 7 || '.org', i % 1000, i % 100,
  i % 50, repeat('x', 60), 'C-' || i FROM generate_series(1, :rows) AS i;
INSERT INTO account_twin SELECT * FROM account;
INSERT INTO ledger SELECT i, i % 90 + 1 FROM generate_series(1, 6000) AS i;
INSERT INTO attic SELECT i, i % 3 > 0, repeat('y', 40) FROM generate_series(1, 9000) AS i;
INSERT INTO untouched SELECT i, 'words ' || i FROM generate_series(1, 100) AS i;
GRANT SELECT, INSERT, UPDATE, DELETE ON account, account_twin TO chaos_client;
RESET ROLE;
ANALYZE;
