CREATE MATERIALIZED VIEW monthly_activity AS
  SELECT date_trunc('month', happened_at) AS month, count(*) AS activities FROM activities GROUP BY 1;
