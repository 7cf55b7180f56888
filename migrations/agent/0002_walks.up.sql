-- Walks share their rows as ranges, in a queue that outlives any process.
ALTER TABLE curlew.backfill
  ADD COLUMN walk text NOT NULL DEFAULT 'ctid' CHECK (walk IN ('ctid', 'key')),
  ADD COLUMN bound text NOT NULL DEFAULT '',
  ADD COLUMN claimed text NOT NULL DEFAULT '',
  ADD COLUMN started timestamptz NOT NULL DEFAULT now();
UPDATE curlew.backfill SET bound = format('(%s,0)', blocks), claimed = format('(%s,0)', least(next_block, blocks));
ALTER TABLE curlew.backfill DROP COLUMN next_block;
COMMENT ON TABLE curlew.backfill IS 'How far the rows of each heap have been handed out to workers: places before claimed have been, those from bound on were never its business. rows are those of ranges that are not in backfill_range any more.';

CREATE TABLE curlew.backfill_range (
  run text NOT NULL REFERENCES curlew.run,
  step text NOT NULL,
  leaf oid NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  first text NOT NULL,
  last text NOT NULL,
  next text NOT NULL,
  pass smallint NOT NULL DEFAULT 0,
  passes smallint NOT NULL DEFAULT 1,
  single boolean NOT NULL DEFAULT false,
  weight bigint NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'aside', 'done')),
  rows bigint NOT NULL DEFAULT 0,
  tries integer NOT NULL DEFAULT 0,
  error text NOT NULL DEFAULT '',
  started timestamptz NOT NULL DEFAULT now(),
  finished timestamptz,
  PRIMARY KEY (run, step, id),
  CHECK ((finished IS NOT NULL) = (state = 'done'))
);
COMMENT ON TABLE curlew.backfill_range IS 'Parts of heaps that were handed out. A batch commits with its range: places before next are done in this pass, and the passes before it.';
COMMENT ON COLUMN curlew.backfill_range.single IS 'Whether it is the one row at first.';

ALTER TABLE curlew.problem
  ADD COLUMN state text NOT NULL DEFAULT 'found' CHECK (state IN ('found', 'quarantined', 'mended', 'accepted')),
  ADD COLUMN leaf oid NOT NULL DEFAULT 0,
  ADD COLUMN place text NOT NULL DEFAULT '',
  ADD COLUMN resolved timestamptz,
  ADD COLUMN resolved_by text NOT NULL DEFAULT '',
  ADD COLUMN reason text NOT NULL DEFAULT '';
