-- expect: create_table, create_sequence, add_unique, add_check
-- sql: none
--- before
SELECT 1;
--- migration
CREATE TABLE tags (
  id serial PRIMARY KEY,
  name varchar(50) NOT NULL UNIQUE,
  weight int DEFAULT 0 CHECK (weight >= 0),
  created_at timestamp DEFAULT now()
);
