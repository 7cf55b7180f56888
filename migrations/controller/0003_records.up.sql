-- The audit log: numbered from 1 without a gap, each entry with its hash. Nothing in it is ever changed.
CREATE TABLE audit (
  number INTEGER PRIMARY KEY CHECK (number > 0),
  hash TEXT NOT NULL,
  entry BLOB NOT NULL
) STRICT;

-- What somebody outside is still to be told. Ids are never used again.
CREATE TABLE notification (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  notification BLOB NOT NULL
) STRICT;

-- What is on record of targets; nothing of that is ever changed either. The schema is apart: lists do without.
CREATE TABLE target_record (
  target TEXT NOT NULL CHECK (target <> ''),
  number INTEGER NOT NULL CHECK (number > 0),
  record BLOB NOT NULL,
  schema BLOB NOT NULL,
  PRIMARY KEY (target, number)
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'entries of the audit log are never changed'); END;
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'entries of the audit log are never removed'); END;
-- INSERT OR REPLACE removes without asking the trigger above.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
  WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number)
  BEGIN SELECT RAISE(ABORT, 'entries of the audit log are never replaced'); END;
CREATE TRIGGER target_record_is_not_changed BEFORE UPDATE ON target_record
  BEGIN SELECT RAISE(ABORT, 'records of targets are never changed'); END;
CREATE TRIGGER target_record_is_not_removed BEFORE DELETE ON target_record
  BEGIN SELECT RAISE(ABORT, 'records of targets are never removed'); END;
CREATE TRIGGER target_record_is_not_replaced BEFORE INSERT ON target_record
  WHEN EXISTS (SELECT 1 FROM target_record WHERE target = NEW.target AND number = NEW.number)
  BEGIN SELECT RAISE(ABORT, 'records of targets are never replaced'); END;
