-- expect: add_foreign_key, create_index
-- sql: none
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
CREATE TABLE tickets (id int PRIMARY KEY, assignee_id bigint, reporter_id bigint);
INSERT INTO tickets VALUES (1, 1, 2), (2, NULL, 3);
--- migration
ALTER TABLE tickets ADD FOREIGN KEY (assignee_id) REFERENCES users ON DELETE SET NULL;
ALTER TABLE tickets ADD CONSTRAINT fk_reporter FOREIGN KEY (reporter_id) REFERENCES users(id) ON UPDATE CASCADE ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX tickets_assignee ON tickets (assignee_id) WHERE assignee_id IS NOT NULL;
