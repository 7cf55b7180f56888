ALTER TABLE contacts ADD CONSTRAINT contacts_score_check CHECK (score >= 0) NOT VALID;
