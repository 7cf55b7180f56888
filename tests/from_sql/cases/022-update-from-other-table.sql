-- expect: add_column, set_not_null, add_foreign_key
--- before
CREATE TABLE users (id int PRIMARY KEY, name text UNIQUE);
CREATE TABLE posts (id int PRIMARY KEY, author text);
INSERT INTO users VALUES (1, 'a'), (2, 'b');
INSERT INTO posts VALUES (1, 'a'), (2, 'b'), (3, 'a');
--- migration
ALTER TABLE posts ADD COLUMN author_id int;
UPDATE posts SET author_id = u.id FROM users u WHERE u.name = posts.author;
ALTER TABLE posts ALTER COLUMN author_id SET NOT NULL;
ALTER TABLE posts ADD CONSTRAINT posts_author_fk FOREIGN KEY (author_id) REFERENCES users (id);
