-- expect: create_table, sql, drop_column, create_index
--- before
CREATE TABLE users (id int PRIMARY KEY, phone text, email text);
INSERT INTO users VALUES (1, '555', 'a'), (2, NULL, 'b');
--- migration
CREATE TABLE phones (id bigserial PRIMARY KEY, user_id int NOT NULL REFERENCES users (id), number text NOT NULL);
INSERT INTO phones (user_id, number) SELECT id, phone FROM users WHERE phone IS NOT NULL ORDER BY id;
CREATE INDEX phones_user ON phones (user_id);
ALTER TABLE users DROP COLUMN phone;
