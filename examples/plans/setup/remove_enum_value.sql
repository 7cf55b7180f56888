CREATE TYPE conversation_priority AS ENUM ('low', 'normal', 'high', 'urgent');
ALTER TABLE conversations ADD COLUMN priority conversation_priority NOT NULL DEFAULT 'normal';
UPDATE conversations SET priority = 'urgent' WHERE id % 7 = 0;
