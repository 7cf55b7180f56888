-- expect: create_table, add_column, rename_column, create_index, add_check
-- sql: none
--- before
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema"."Weird""Name" ("Id" int PRIMARY KEY, "select" text, "weiß" int);
INSERT INTO "Odd Schema"."Weird""Name" VALUES (1, 'x', 2), (2, NULL, NULL);
--- migration
ALTER TABLE "Odd Schema"."Weird""Name" ADD COLUMN "New Col" text DEFAULT 'it''s';
ALTER TABLE "Odd Schema"."Weird""Name" RENAME "select" TO "from";
ALTER TABLE "Odd Schema"."Weird""Name" ADD CHECK ("weiß" > 0);
CREATE INDEX ON "Odd Schema"."Weird""Name" ("New Col", "weiß");
CREATE TABLE "Odd Schema"."ta;ble" ("ä""b" serial PRIMARY KEY, "Ref" int REFERENCES "Odd Schema"."Weird""Name", UNIQUE ("Ref", "ä""b"));
