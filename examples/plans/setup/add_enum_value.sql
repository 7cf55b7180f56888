CREATE TYPE conversation_state AS ENUM ('open', 'closed');
