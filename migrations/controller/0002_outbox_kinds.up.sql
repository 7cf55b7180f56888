-- Which kinds of commands there are stands once, in the code that encodes them. Ids are never used again: the
-- count goes on.
CREATE TABLE new_outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  rollout TEXT NOT NULL REFERENCES rollout (name),
  target TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind <> ''),
  payload BLOB NOT NULL
) STRICT;
INSERT INTO new_outbox (id, rollout, target, kind, payload) SELECT id, rollout, target, kind, payload FROM outbox;
DELETE FROM sqlite_sequence WHERE name = 'new_outbox';
INSERT INTO sqlite_sequence (name, seq) SELECT 'new_outbox', seq FROM sqlite_sequence WHERE name = 'outbox';
DROP TABLE outbox;
ALTER TABLE new_outbox RENAME TO outbox;
