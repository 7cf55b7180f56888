-- What steps have made, or seen to, so that there is a way back; and what they have measured.
CREATE TABLE curlew.backup (
  run text NOT NULL REFERENCES curlew.run,
  step text NOT NULL,
  kind text NOT NULL,
  location text NOT NULL,
  bytes bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0),
  sha256 text NOT NULL DEFAULT '',
  complete timestamptz NOT NULL,
  restore_hint text NOT NULL DEFAULT '',
  PRIMARY KEY (run, step)
);
COMMENT ON TABLE curlew.backup IS 'Backups that steps have made, or seen to. The row commits with the step.';

CREATE TABLE curlew.measurement (
  run text NOT NULL REFERENCES curlew.run,
  name text NOT NULL,
  value text,
  measured timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run, name)
);
COMMENT ON TABLE curlew.measurement IS 'Values that steps of a run have noted, for later ones to compare. They commit with the step.';
