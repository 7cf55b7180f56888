CREATE FUNCTION domain_of(address text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT split_part(address, '@', 2) $$;
