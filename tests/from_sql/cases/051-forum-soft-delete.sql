-- expect: add_column, create_index
-- sql: none
--- before
CREATE TABLE posts (id bigserial PRIMARY KEY, topic_id int NOT NULL, deleted boolean NOT NULL DEFAULT false, raw text);
INSERT INTO posts (topic_id, deleted) VALUES (1, true), (1, false), (2, true);
--- migration
ALTER TABLE posts ADD COLUMN deleted_at timestamp without time zone;
UPDATE posts SET deleted_at = '2020-01-01' WHERE deleted;
CREATE INDEX idx_posts_not_deleted ON posts (topic_id, id) WHERE deleted_at IS NULL;
