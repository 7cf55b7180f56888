-- The runs of a rollout, apart from it, so that a change of one need not write all. Each is kept as the bytes of
-- a Rollout that has only it: `rollout.rollout` and these, by position, are the bytes of the whole. A rollout
-- that was written before has its runs within it, and none here.
CREATE TABLE curlew_controller.run (
  rollout text COLLATE "C" NOT NULL REFERENCES curlew_controller.rollout (name),
  position integer NOT NULL CHECK (position >= 0),
  run bytea NOT NULL,
  PRIMARY KEY (rollout, position)
);
