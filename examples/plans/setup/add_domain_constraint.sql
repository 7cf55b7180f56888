CREATE DOMAIN percentage AS integer;
