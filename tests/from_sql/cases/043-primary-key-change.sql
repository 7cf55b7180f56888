-- sql: scans-under-lock
-- expect: sql, add_column
--- before
CREATE TABLE likes (user_id int NOT NULL, post_id int NOT NULL, CONSTRAINT likes_pkey PRIMARY KEY (post_id));
INSERT INTO likes VALUES (1, 2), (2, 3);
--- migration
ALTER TABLE likes ADD COLUMN note text;
ALTER TABLE likes DROP CONSTRAINT likes_pkey;
ALTER TABLE likes ADD PRIMARY KEY (user_id, post_id);
