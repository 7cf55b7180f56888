-- expect: sql, add_unique
-- sql: breaks-applications, unknown-effect, unbatched-data
--- before
CREATE TABLE votes (user_id int, post_id int, score int);
INSERT INTO votes VALUES (1, 1, 1), (1, 1, 1), (2, 1, -1);
--- migration
BEGIN;
CREATE TEMP TABLE keep AS SELECT DISTINCT user_id, post_id, score FROM votes;
DELETE FROM votes;
INSERT INTO votes SELECT user_id, post_id, score FROM keep;
DROP TABLE keep;
COMMIT;
ALTER TABLE votes ADD CONSTRAINT votes_pair_key UNIQUE (user_id, post_id);
