-- expect: create_extension, create_statistics, add_column, create_index
-- sql: none
--- before
CREATE TABLE places (id int PRIMARY KEY, city text, zip text);
INSERT INTO places VALUES (1, 'a', '1'), (2, 'b', NULL);
--- migration
CREATE EXTENSION IF NOT EXISTS citext;
CREATE EXTENSION IF NOT EXISTS "pg_trgm" WITH SCHEMA public;
CREATE STATISTICS places_st (dependencies, ndistinct) ON city, zip FROM places;
ALTER TABLE places ADD COLUMN email citext;
CREATE INDEX places_city_trgm ON places USING gin (city gin_trgm_ops);
