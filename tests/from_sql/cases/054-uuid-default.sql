-- expect: add_column, add_unique
-- volatile: uid
-- sql: none
--- before
CREATE TABLE devices (id int PRIMARY KEY);
INSERT INTO devices VALUES (1), (2);
--- migration
ALTER TABLE devices ADD COLUMN uid uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE devices ADD CONSTRAINT devices_uid_key UNIQUE (uid);
