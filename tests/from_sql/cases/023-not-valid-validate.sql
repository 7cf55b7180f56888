-- expect: add_check, add_foreign_key
-- sql: none
--- before
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, name text, created_at timestamptz NOT NULL DEFAULT '2020-01-01');
INSERT INTO users (email, name) VALUES ('a@example.com', 'Ann Lee'), ('b@example.com', NULL), ('c@example.com', 'Cy');
CREATE TABLE payments (id int PRIMARY KEY, user_id bigint, cents int);
INSERT INTO payments VALUES (1, 1, 5), (2, NULL, 0);
--- migration
ALTER TABLE payments ADD CONSTRAINT cents_positive CHECK (cents >= 0) NOT VALID;
ALTER TABLE payments ADD CONSTRAINT payments_user FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID;
ALTER TABLE payments VALIDATE CONSTRAINT cents_positive;
ALTER TABLE payments VALIDATE CONSTRAINT payments_user;
