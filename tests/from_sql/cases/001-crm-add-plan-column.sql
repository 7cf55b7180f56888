-- expect: add_column
-- sql: none
--- before
CREATE TABLE accounts (id bigint PRIMARY KEY, name text);
INSERT INTO accounts VALUES (1, 'a'), (2, NULL);
--- migration
-- Rails: add_column :accounts, :plan, :string, null: false, default: "free"
ALTER TABLE "accounts" ADD COLUMN "plan" character varying DEFAULT 'free' NOT NULL;
