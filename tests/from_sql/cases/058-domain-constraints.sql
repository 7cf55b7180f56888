-- offline: refused
-- expect: sql
--- before
CREATE DOMAIN pct AS int CONSTRAINT pct_low CHECK (VALUE >= 0);
CREATE TABLE rates (id int PRIMARY KEY, r pct);
INSERT INTO rates VALUES (1, 5), (2, NULL);
--- migration
ALTER DOMAIN pct ADD CHECK (VALUE <= 100);
ALTER DOMAIN pct DROP CONSTRAINT pct_low;
