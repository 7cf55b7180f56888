-- expect: add_column, add_foreign_key
-- sql: unbatched-data
--- before
CREATE TABLE teams (id int PRIMARY KEY, name text);
CREATE TABLE users (id int PRIMARY KEY, team text);
INSERT INTO teams VALUES (1, 'red'); INSERT INTO users VALUES (1, 'red'), (2, 'blue');
--- migration
ALTER TABLE users ADD COLUMN team_id int;
INSERT INTO teams (id, name) SELECT 100 + id, team FROM users WHERE team NOT IN (SELECT name FROM teams);
UPDATE users SET team_id = (SELECT id FROM teams WHERE name = users.team);
WITH gone AS (DELETE FROM teams WHERE name = 'none' RETURNING id) UPDATE users SET team_id = NULL WHERE team_id IN (SELECT id FROM gone);
ALTER TABLE users ADD CONSTRAINT users_team FOREIGN KEY (team_id) REFERENCES teams;
ALTER TABLE users DROP COLUMN team;
