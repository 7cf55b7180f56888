-- expect: set_table_options, set_replica_identity, set_comment
-- sql: none
--- before
CREATE TABLE hot (id int PRIMARY KEY, a int NOT NULL);
CREATE UNIQUE INDEX hot_a ON hot (a);
INSERT INTO hot VALUES (1, 2);
--- migration
ALTER TABLE hot SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE hot REPLICA IDENTITY USING INDEX hot_a;
COMMENT ON TABLE hot IS 'hot';
