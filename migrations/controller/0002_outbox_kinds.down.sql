-- Commands of kinds that were not known then go: their agents get them again when they come back.
CREATE TABLE new_outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  rollout TEXT NOT NULL REFERENCES rollout (name),
  target TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('compile', 'dispatch', 'cancel')),
  payload BLOB NOT NULL
) STRICT;
INSERT INTO new_outbox (id, rollout, target, kind, payload)
  SELECT id, rollout, target, kind, payload FROM outbox WHERE kind IN ('compile', 'dispatch', 'cancel');
DELETE FROM sqlite_sequence WHERE name = 'new_outbox';
INSERT INTO sqlite_sequence (name, seq) SELECT 'new_outbox', seq FROM sqlite_sequence WHERE name = 'outbox';
DROP TABLE outbox;
ALTER TABLE new_outbox RENAME TO outbox;
