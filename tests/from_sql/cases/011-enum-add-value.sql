-- expect: add_enum_value
--- before
CREATE TYPE status AS ENUM ('open', 'closed');
CREATE TABLE issues (id int PRIMARY KEY, status status NOT NULL DEFAULT 'open');
INSERT INTO issues VALUES (1, 'open'), (2, 'closed');
--- migration
ALTER TYPE status ADD VALUE 'in_progress' AFTER 'open';
ALTER TYPE status ADD VALUE IF NOT EXISTS 'closed';
ALTER TYPE "status" ADD VALUE 'wontfix';
