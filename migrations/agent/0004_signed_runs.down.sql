DROP TABLE curlew.decision;
ALTER TABLE curlew.run
  DROP COLUMN plan, DROP COLUMN plan_signature, DROP COLUMN signature_id, DROP COLUMN snapshot,
  DROP COLUMN steps_digest, DROP COLUMN barred;
