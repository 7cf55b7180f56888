-- expect: purge, add_unique
-- sql: none
--- before
CREATE TABLE subscriptions (id int PRIMARY KEY, email text, active boolean);
INSERT INTO subscriptions VALUES (1, 'a', true), (2, 'a', false), (3, 'b', true), (4, NULL, false);
--- migration
DELETE FROM subscriptions WHERE NOT active;
ALTER TABLE subscriptions ADD CONSTRAINT subscriptions_email_key UNIQUE (email);
