SELECT count(*) FILTER (WHERE type = 'table' AND name IN ('audit', 'notification', 'target_record')) = 3
   AND count(*) FILTER (WHERE type = 'trigger' AND tbl_name IN ('audit', 'target_record')) = 6
  FROM sqlite_schema;
