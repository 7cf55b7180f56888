-- expect: add_unique
-- sql: none
--- before
CREATE TABLE keys (id int PRIMARY KEY, token text);
INSERT INTO keys VALUES (1, 'a'), (2, NULL);
--- migration
CREATE UNIQUE INDEX CONCURRENTLY keys_token_tmp ON keys (token);
ALTER TABLE keys ADD CONSTRAINT keys_token_key UNIQUE USING INDEX keys_token_tmp;
