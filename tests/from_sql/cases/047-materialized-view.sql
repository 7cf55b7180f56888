-- expect: create_materialized_view
-- sql: none
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
--- migration
CREATE MATERIALIZED VIEW user_stats AS SELECT count(*) AS n, max(created_at) AS last FROM users WITH DATA;
CREATE UNIQUE INDEX user_stats_n ON user_stats (n);
