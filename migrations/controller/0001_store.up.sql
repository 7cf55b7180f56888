-- Protos are kept as their bytes; beside them stand only the columns that are searched by.

CREATE TABLE plan (
  -- Order of arrival: lists go by it.
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  plan_name TEXT NOT NULL,
  digest TEXT NOT NULL,
  stored BLOB NOT NULL
) STRICT;
CREATE INDEX plan_by_plan_name ON plan (plan_name, sequence);

CREATE TABLE environment (
  position INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  environment BLOB NOT NULL
) STRICT;

CREATE TABLE rollout (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  -- Counts the changes; a change names the version that it was made from.
  version INTEGER NOT NULL CHECK (version > 0),
  last_event INTEGER NOT NULL CHECK (last_event >= 0),
  rollout BLOB NOT NULL
) STRICT;

CREATE TABLE event (
  rollout TEXT NOT NULL REFERENCES rollout (name),
  number INTEGER NOT NULL CHECK (number > 0),
  event BLOB NOT NULL,
  PRIMARY KEY (rollout, number)
) STRICT, WITHOUT ROWID;

-- Commands that are not known to have arrived. Ids are never used again.
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  rollout TEXT NOT NULL REFERENCES rollout (name),
  target TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('compile', 'dispatch', 'cancel')),
  payload BLOB NOT NULL
) STRICT;

CREATE TABLE compiled_plan (
  run TEXT PRIMARY KEY NOT NULL,
  rollout TEXT NOT NULL REFERENCES rollout (name),
  compiled_plan BLOB NOT NULL
) STRICT, WITHOUT ROWID;
