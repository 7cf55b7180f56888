CREATE DOMAIN email_address AS text CONSTRAINT email_address_form CHECK (VALUE ~ '^[^@ ]+@[^@ ]+$');
