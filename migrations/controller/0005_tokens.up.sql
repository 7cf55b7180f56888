-- Bearer tokens. What is shown is never kept, only its SHA-256. A name may come again once the token that had it
-- does not count any more; the newest of a name is the one that may count.
CREATE TABLE token (
  -- Order of arrival: lists go by it.
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL CHECK (name <> ''),
  hash TEXT NOT NULL UNIQUE,
  token BLOB NOT NULL
) STRICT;
CREATE INDEX token_by_name ON token (name, sequence);
