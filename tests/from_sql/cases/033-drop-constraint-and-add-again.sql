-- expect: drop_constraint, add_check
-- sql: none
--- before
CREATE TABLE reviews (id int PRIMARY KEY, stars int CONSTRAINT stars_range CHECK (stars BETWEEN 1 AND 5));
INSERT INTO reviews VALUES (1, 5), (2, NULL);
--- migration
ALTER TABLE reviews DROP CONSTRAINT stars_range;
ALTER TABLE reviews ADD CONSTRAINT stars_range CHECK (stars BETWEEN 0 AND 10);
