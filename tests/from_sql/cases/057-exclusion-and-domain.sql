-- expect: create_domain, create_table, add_exclusion, create_extension
-- sql: none
--- before
SELECT 1;
--- migration
CREATE EXTENSION btree_gist;
CREATE DOMAIN email AS varchar(254) DEFAULT 'x@y' NOT NULL CHECK (VALUE LIKE '%@%') CHECK (length(VALUE) > 2);
CREATE TABLE bookings (
  room int NOT NULL,
  during tstzrange NOT NULL,
  contact email,
  EXCLUDE USING gist (room WITH =, during WITH &&)
);
