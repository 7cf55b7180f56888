-- sql: none
-- expect: sql
--- before
SELECT 1;
--- migration
CREATE TABLE events (id bigint NOT NULL, at date NOT NULL, kind text) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events DEFAULT;
