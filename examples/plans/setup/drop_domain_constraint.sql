CREATE DOMAIN percentage AS integer CONSTRAINT percentage_range CHECK (VALUE BETWEEN 0 AND 100);
