-- Runs go back into their rollouts: their bytes one after the other.
UPDATE curlew_controller.rollout AS r
   SET rollout = r.rollout || u.runs
  FROM (SELECT rollout, string_agg(run, ''::bytea ORDER BY position) AS runs FROM curlew_controller.run GROUP BY rollout)
       AS u
 WHERE u.rollout = r.name;
DROP TABLE curlew_controller.run;
