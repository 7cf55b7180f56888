-- Ranges that are not done are handed out again: what was done in them is not pending any more.
ALTER TABLE curlew.problem
  DROP COLUMN state, DROP COLUMN leaf, DROP COLUMN place, DROP COLUMN resolved, DROP COLUMN resolved_by,
  DROP COLUMN reason;
ALTER TABLE curlew.backfill ADD COLUMN next_block bigint NOT NULL DEFAULT 0;
UPDATE curlew.backfill b SET
  rows = b.rows + COALESCE((SELECT sum(r.rows) FROM curlew.backfill_range r
                            WHERE (r.run, r.step, r.leaf) = (b.run, b.step, b.leaf)), 0),
  next_block = COALESCE((SELECT min(COALESCE((NULLIF(r.first, '')::tid::text::point)[0], 0))::bigint FROM curlew.backfill_range r
                         WHERE (r.run, r.step, r.leaf) = (b.run, b.step, b.leaf) AND r.state <> 'done'),
                        (NULLIF(b.claimed, '')::tid::text::point)[0]::bigint, 0)
WHERE b.walk = 'ctid';
DROP TABLE curlew.backfill_range;
ALTER TABLE curlew.backfill DROP COLUMN walk, DROP COLUMN bound, DROP COLUMN claimed, DROP COLUMN started;
