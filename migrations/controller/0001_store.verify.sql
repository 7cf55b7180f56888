SELECT count(*) = 6
  FROM sqlite_schema
 WHERE type = 'table' AND name IN ('plan', 'environment', 'rollout', 'event', 'outbox', 'compiled_plan');
