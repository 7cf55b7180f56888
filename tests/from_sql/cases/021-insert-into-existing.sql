-- expect: sql, add_column
-- sql: unbatched-data
--- before
CREATE TABLE roles (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO roles (id, name) VALUES (1, 'user');
--- migration
INSERT INTO roles (id, name) VALUES (2, 'moderator') ON CONFLICT DO NOTHING;
ALTER TABLE roles ADD COLUMN description text NOT NULL DEFAULT '';
