-- expect: create_table, add_unique, add_foreign_key, add_check, create_index
-- sql: none
--- before
CREATE TABLE a_table_with_a_very_long_name_that_goes_on_and_on (id int PRIMARY KEY, a_column_with_a_very_long_name_that_goes_on int);
INSERT INTO a_table_with_a_very_long_name_that_goes_on_and_on VALUES (1, 5);
--- migration
CREATE INDEX ON a_table_with_a_very_long_name_that_goes_on_and_on (a_column_with_a_very_long_name_that_goes_on);
CREATE INDEX ON a_table_with_a_very_long_name_that_goes_on_and_on (a_column_with_a_very_long_name_that_goes_on);
ALTER TABLE a_table_with_a_very_long_name_that_goes_on_and_on ADD UNIQUE (a_column_with_a_very_long_name_that_goes_on);
ALTER TABLE a_table_with_a_very_long_name_that_goes_on_and_on ADD CHECK (a_column_with_a_very_long_name_that_goes_on > 0);
ALTER TABLE a_table_with_a_very_long_name_that_goes_on_and_on ADD CHECK (a_column_with_a_very_long_name_that_goes_on < 900);
CREATE TABLE "öäüöäüöäüöäüöäüöäüöäüöäüöäüöäü" (id serial PRIMARY KEY, "ßßßßßßßßßßßßßßßßßßßßßßßß" int UNIQUE REFERENCES a_table_with_a_very_long_name_that_goes_on_and_on, a int, b int, c int, UNIQUE (a, b, c), CHECK (a > b), CHECK (a > 1), CHECK (a > 2));
CREATE INDEX ON "öäüöäüöäüöäüöäüöäüöäüöäüöäüöäü" (lower(a::text), (a + b), a, a DESC) INCLUDE (c);
