-- The runs of a rollout, apart from it, so that a change of one need not write all. Each is kept as the bytes of
-- a Rollout that has only it: `rollout.rollout` and these, by position, are the bytes of the whole. A rollout
-- that was written before has its runs within it, and none here.
CREATE TABLE run (
  rollout TEXT NOT NULL REFERENCES rollout (name),
  position INTEGER NOT NULL CHECK (position >= 0),
  run BLOB NOT NULL,
  PRIMARY KEY (rollout, position)
) STRICT;
