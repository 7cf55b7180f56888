-- expect: create_function, create_table
-- volatile: code
--- before
CREATE TABLE mails (id int PRIMARY KEY, email text);
INSERT INTO mails VALUES (1, 'a@b'), (2, NULL);
--- migration
CREATE TABLE coupons (id int PRIMARY KEY);
CREATE FUNCTION is_mail(t text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT t LIKE '%@%' $$;
CREATE FUNCTION new_code() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT md5(random()::text) $$;
ALTER TABLE coupons ADD COLUMN code text NOT NULL DEFAULT new_code();
ALTER TABLE mails ADD CONSTRAINT is_mail CHECK (is_mail(email));
ALTER TABLE mails ADD COLUMN domain text;
UPDATE mails SET domain = split_part(email, '@', 2);
CREATE INDEX ON mails (is_mail(email));
