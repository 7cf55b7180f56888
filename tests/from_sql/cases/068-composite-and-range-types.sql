-- expect: create_table, sql
--- before
SELECT 1;
--- migration
CREATE TYPE address AS (street text, zip text);
CREATE TYPE float_range AS RANGE (subtype = float8);
CREATE TABLE offices (id int PRIMARY KEY, at address, open float_range);
