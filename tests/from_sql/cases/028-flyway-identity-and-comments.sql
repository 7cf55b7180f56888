-- expect: create_table, set_comment, create_index
-- sql: none
--- before
SELECT 1;
--- migration
CREATE TABLE IF NOT EXISTS audit_log (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor     UUID        NOT NULL,
    action    VARCHAR(64) NOT NULL,
    payload   JSONB       NOT NULL DEFAULT '{}'::jsonb,
    at        TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
);
COMMENT ON TABLE audit_log IS 'Who did what; kept for 7 years';
COMMENT ON COLUMN audit_log.payload IS 'Details, "as sent"';
CREATE INDEX IF NOT EXISTS audit_log_payload ON audit_log USING gin (payload jsonb_path_ops);
CREATE INDEX audit_log_at ON audit_log USING brin (at) WITH (pages_per_range = 32);
COMMENT ON INDEX audit_log_at IS 'small';
