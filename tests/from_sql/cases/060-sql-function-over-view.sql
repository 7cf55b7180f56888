-- expect: create_view, create_function, sql
-- sql: none
--- before
CREATE TABLE prices (id int PRIMARY KEY, cents int);
INSERT INTO prices VALUES (1, 5);
--- migration
CREATE VIEW cheap AS SELECT id FROM prices WHERE cents < 10;
CREATE FUNCTION cheap_count() RETURNS bigint LANGUAGE sql AS $f$ SELECT count(*) FROM cheap $f$;
CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql IMMUTABLE AS $f$ SELECT x * 2 $f$;
CREATE PROCEDURE reset_prices() LANGUAGE plpgsql AS $p$ BEGIN UPDATE prices SET cents = 0; END $p$;
