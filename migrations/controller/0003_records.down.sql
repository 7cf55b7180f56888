-- Triggers go with their tables.
DROP TABLE target_record;
DROP TABLE notification;
DROP TABLE audit;
