CREATE TABLE call_imports (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  contact_id bigint REFERENCES contacts,
  line text NOT NULL
);
INSERT INTO call_imports (contact_id, line) SELECT id, 'call of ' || name FROM contacts;
