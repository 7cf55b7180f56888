SELECT count(*) = 2 FROM sqlite_schema WHERE name IN ('token', 'token_by_name');
