CREATE VIEW leads AS SELECT id, name, email FROM contacts WHERE stage = 'lead';
