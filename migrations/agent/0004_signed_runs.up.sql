-- What runs were begun by, where the agent runs signed plans alone.
ALTER TABLE curlew.run
  ADD COLUMN plan json,
  ADD COLUMN plan_signature json,
  ADD COLUMN signature_id text,
  ADD COLUMN snapshot json,
  ADD COLUMN steps_digest text,
  ADD COLUMN barred boolean NOT NULL DEFAULT false,
  ADD CONSTRAINT run_is_signed_in_whole CHECK (
    num_nulls(plan, plan_signature, signature_id, snapshot, steps_digest) IN (0, 5)),
  ADD CONSTRAINT run_is_barred_or_signed CHECK (NOT barred OR plan_signature IS NULL);
COMMENT ON COLUMN curlew.run.plan IS 'The plan that was signed, in canonical form; this agent compiled it itself.';
COMMENT ON COLUMN curlew.run.plan_signature IS 'The signature that the run was begun by; NULL where the agent asked for none.';
COMMENT ON COLUMN curlew.run.snapshot IS 'The schema that the plan was compiled against, as it was before anything was changed.';
COMMENT ON COLUMN curlew.run.steps_digest IS 'Digest of what is executed alone.';
COMMENT ON COLUMN curlew.run.barred IS 'Nothing of the run was ever done here, and nothing will be: its plan was not trusted. Only that it is undone is noted.';
-- A signature begins one run.
CREATE UNIQUE INDEX run_by_signature ON curlew.run (signature_id);

CREATE TABLE curlew.decision (
  run text NOT NULL REFERENCES curlew.run,
  id text NOT NULL,
  step text NOT NULL DEFAULT '',
  signature json NOT NULL,
  noted timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run, id)
);
COMMENT ON TABLE curlew.decision IS 'Signed decisions that steps were begun by; step is empty for those about DROP, which count until the run ends.';
