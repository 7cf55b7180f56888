"""What breaks the promise on purpose, to see that the oracle finds it."""

from __future__ import annotations

# Run where the rollout waits at the gate before DROP, with clients of both shapes writing.
AT_THE_GATE = {
    "triggers-lost": "DO $$ DECLARE t record; BEGIN FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'account'::regclass"
                     " AND NOT tgisinternal LOOP EXECUTE format('ALTER TABLE account DISABLE TRIGGER %I', t.tgname);"
                     " END LOOP; END $$",
}

# Run where it has ended.
AT_THE_END = {
    # A batch of the change in place, applied once more.
    "batch-twice": "UPDATE account SET hits = hits + 1 WHERE id BETWEEN 100 AND 199",
    "batch-skipped": "UPDATE account SET hits = hits - 1 WHERE id BETWEEN 100 AND 199",
    "lost-write": "UPDATE account_twin SET score = score + 1 WHERE id = 7",
    "lost-row": "DELETE FROM account WHERE id = 11",
    "tally-twice": "UPDATE tally SET times = times + 1 WHERE id = 5",
    "purged-too-much": "DELETE FROM attic WHERE id = 9",
    "purged-too-little": "INSERT INTO attic VALUES (10, true, repeat('y', 40))",
    "invalid-index": "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'account_email_idx'::regclass",
    "not-valid": "ALTER TABLE account ADD CONSTRAINT late CHECK (hits > 0) NOT VALID",
    "marker-left": "ALTER TABLE account ADD COLUMN curlew_pending_x boolean DEFAULT false",
    "index-lost": "DROP INDEX account_domain_idx",
    "other-data": "UPDATE untouched SET words = 'other' WHERE id = 50",
    "journal-lost": "DELETE FROM curlew.step WHERE step = 'drop-3'",
    "journal-half": "UPDATE curlew.step SET state = 'intent', finished = NULL WHERE step = 'add-2'",
}

