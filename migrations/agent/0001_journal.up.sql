-- The journal of Curlew's agent: what has been done to this database. It commits with the work itself.
-- An agent that may make no schema finds one (curlew-agent bootstrap-sql); IF NOT EXISTS would want the right to.
DO $$
BEGIN
  IF to_regnamespace('curlew') IS NULL THEN
    CREATE SCHEMA curlew;
  END IF;
END
$$;
COMMENT ON SCHEMA curlew IS 'Journal and dual-write functions of Curlew. Do not change by hand.';

CREATE TABLE curlew.migration (
  version integer PRIMARY KEY,
  name text NOT NULL,
  applied timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE curlew.migration IS 'Which migrations of this schema are in force.';

CREATE TABLE curlew.target (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  name text NOT NULL,
  agent_id text NOT NULL,
  instance_id text NOT NULL,
  epoch bigint NOT NULL,
  system_identifier text NOT NULL,
  timeline integer NOT NULL,
  taken_over timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE curlew.target IS 'Who serves this database. A transaction of an agent with another epoch must not commit.';

CREATE TABLE curlew.run (
  run text PRIMARY KEY,
  plan_name text NOT NULL,
  compiled_digest text NOT NULL,
  compiled json NOT NULL,
  created timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE curlew.run IS 'The compiled plan of each run, in canonical form. Pinned: it never changes.';

CREATE TABLE curlew.step (
  run text NOT NULL REFERENCES curlew.run,
  step text NOT NULL,
  direction text NOT NULL CHECK (direction IN ('do', 'undo')),
  state text NOT NULL CHECK (state IN ('intent', 'succeeded')),
  attempt integer NOT NULL,
  epoch bigint NOT NULL,
  rows bigint NOT NULL DEFAULT 0,
  started timestamptz NOT NULL DEFAULT now(),
  finished timestamptz,
  PRIMARY KEY (run, step, direction),
  CHECK ((finished IS NOT NULL) = (state = 'succeeded'))
);
COMMENT ON TABLE curlew.step IS 'Steps that were done or undone. An intent stands for work that cannot run in a transaction: the catalogue tells how far it came.';

CREATE TABLE curlew.backfill (
  run text NOT NULL REFERENCES curlew.run,
  step text NOT NULL,
  leaf oid NOT NULL,
  leaf_name text NOT NULL,
  relfilenode oid NOT NULL,
  blocks bigint NOT NULL,
  next_block bigint NOT NULL DEFAULT 0,
  rows bigint NOT NULL DEFAULT 0,
  restarts integer NOT NULL DEFAULT 0,
  PRIMARY KEY (run, step, leaf)
);
COMMENT ON TABLE curlew.backfill IS 'How far each backfill has come in each heap: blocks before next_block are done, those from blocks on were never its business.';

CREATE TABLE curlew.problem (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run text NOT NULL REFERENCES curlew.run,
  step text NOT NULL,
  attempt integer NOT NULL,
  row_key text NOT NULL,
  sqlstate text NOT NULL,
  message text NOT NULL,
  found timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE curlew.problem IS 'Rows that failed, with what PostgreSQL said about them. Row values stay in this database.';
