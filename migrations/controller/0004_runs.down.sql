-- Runs go back into their rollouts: their bytes one after the other.
UPDATE rollout
   SET rollout = CAST(rollout.rollout || (SELECT group_concat(r.run, '') FROM
                                           (SELECT run FROM run WHERE run.rollout = rollout.name ORDER BY position) AS r)
                      AS BLOB)
 WHERE EXISTS (SELECT 1 FROM run WHERE run.rollout = rollout.name);
DROP TABLE run;
