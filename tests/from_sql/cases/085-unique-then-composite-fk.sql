-- expect: add_unique, create_table, add_foreign_key
-- sql: none
--- before
CREATE TABLE accounts (id int PRIMARY KEY, tenant int NOT NULL);
INSERT INTO accounts VALUES (1, 7), (2, 7);
--- migration
ALTER TABLE accounts ADD UNIQUE (tenant, id);
CREATE TABLE notes (id int PRIMARY KEY, tenant int NOT NULL, account int NOT NULL,
  FOREIGN KEY (tenant, account) REFERENCES accounts (tenant, id) ON DELETE CASCADE ON UPDATE NO ACTION,
  UNIQUE (tenant, account) DEFERRABLE INITIALLY DEFERRED);
