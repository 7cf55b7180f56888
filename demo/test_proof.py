"""Tests of the demo's own measuring: a proof that cannot fail proves nothing.

    /usr/bin/python3 demo/test_proof.py

A small private cluster is migrated by hand, in SQL, under the demo's applications; then things are made to go
wrong, and the proof has to say so.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import psycopg2

import phones
import proof
from cluster import Cluster
from fleet import PYTHON
from observer import Observation, Observer, Wait, culprit

HERE = Path(__file__).parent
ROWS = 5_000
WORKERS = 2

# A minimal dual write of our own, right enough for one pair of columns.
MIGRATE_BY_HAND = r"""
ALTER TABLE contacts ADD COLUMN phone_number text;
CREATE FUNCTION by_hand() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.phone IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.phone IS DISTINCT FROM OLD.phone) THEN
    NEW.phone_number := '+1' || right(regexp_replace(NEW.phone, '[^0-9]', '', 'g'), 10);
  ELSIF TG_OP = 'INSERT' OR NEW.phone_number IS DISTINCT FROM OLD.phone_number THEN
    NEW.phone := NEW.phone_number;
  ELSIF NEW.phone_number IS NULL THEN
    NEW.phone_number := '+1' || right(regexp_replace(NEW.phone, '[^0-9]', '', 'g'), 10);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER zz_by_hand BEFORE INSERT OR UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION by_hand();
UPDATE contacts SET notes = notes WHERE phone_number IS NULL;
"""
UNDO_BY_HAND = """
DROP TRIGGER IF EXISTS zz_by_hand ON contacts;
DROP FUNCTION IF EXISTS by_hand();
ALTER TABLE contacts DROP COLUMN IF EXISTS phone_number;
"""


class Database(unittest.TestCase):
    """One cluster for all tests of this file; each test has a database loaded anew."""

    cluster: Cluster
    root: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.root = Path(tempfile.mkdtemp(prefix="curlew-demo-test-", dir="/var/tmp"))
        cls.root.chmod(0o711)
        cls.cluster = Cluster("test", cls.root)
        cls.cluster.create()
        cls.cluster.start()
        cls.cluster.load(ROWS)
        cls.cluster.psql("ALTER DATABASE crm RENAME TO pristine", database="postgres")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.cluster.stop()
        shutil.rmtree(cls.root)

    def setUp(self) -> None:
        self.cluster.psql("DROP DATABASE IF EXISTS crm WITH (FORCE)", database="postgres")
        self.cluster.psql("CREATE DATABASE crm TEMPLATE pristine", database="postgres")
        self.conninfo = self.cluster.conninfo()
        self.out = Path(tempfile.mkdtemp(dir=self.root))

    def sql(self, script: str) -> None:
        self.cluster.psql(script)

    def start_application(self, name: str) -> subprocess.Popen:
        app = subprocess.Popen([PYTHON, str(HERE / "app.py"), "--application", name, "--conninfo",
                                self.cluster.conninfo("crm_app", f"crm-{name}"), "--rows", str(ROWS), "--out",
                                str(self.out), "--workers", str(WORKERS), "--rate", "200"])
        self.addCleanup(app.kill)
        return app

    def drain(self, app: subprocess.Popen) -> None:
        app.terminate()
        self.assertEqual(app.wait(20), 0)

    def run_applications(self, *names: str, seconds: float = 1.5) -> None:
        apps = [self.start_application(name) for name in names]
        time.sleep(seconds)  # The time that they work, not a synchronisation.
        for app in apps:
            self.drain(app)


class TestNumbers(unittest.TestCase):
    """phones.py."""

    def test_every_spelling_normalises_to_the_same_number(self) -> None:
        for way in range(8):
            self.assertEqual(phones.normalise(phones.spelt("6005550123", way)), "+16005550123")

    def test_slots_never_draw_the_same_number(self) -> None:
        drawn = [phones.digits(slot, count) for slot in range(12) for count in (0, 1, 9_999, 10_000, 199_999_999)]
        self.assertEqual(len(set(drawn)), len(drawn))
        self.assertTrue(all(len(ten) == 10 and ten[0] >= "6" for ten in drawn))


class TestProofHolds(Database):
    """A right migration under both applications."""

    def test_right_migration_passes(self) -> None:
        observer = Observer(self.conninfo)
        old = self.start_application("old")
        self.sql(MIGRATE_BY_HAND)
        new = self.start_application("new")
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            observer.look()
        self.drain(old)
        self.assertTrue(proof.judge_rows("", proof.columns_agree(self.conninfo)).holds)
        old_results = proof.load_results(self.out, "old")
        self.assertTrue(proof.judge_rows("", proof.twins_agree(self.conninfo, old_results, "phone")).holds)
        self.sql("DROP TRIGGER zz_by_hand ON contacts; ALTER TABLE contacts DROP COLUMN phone")
        self.drain(new)
        new_results = proof.load_results(self.out, "new")
        checks = [
            proof.judge_errors("old", old_results, WORKERS), proof.judge_errors("new", new_results, WORKERS),
            proof.judge_rows("", proof.numbers_are_normalised(self.conninfo)),
            proof.judge_rows("", proof.twins_agree(self.conninfo, old_results, "phone_number", phones.normalise)),
            proof.judge_rows("", proof.twins_agree(self.conninfo, new_results, "phone_number")),
            proof.judge_locks("", observer.finish()),
        ]
        for check in checks:
            self.assertTrue(check.holds, check)


class TestProofFails(Database):
    """Each kind of harm is found."""

    def test_a_row_that_disagrees(self) -> None:
        self.sql(MIGRATE_BY_HAND)
        self.sql("ALTER TABLE contacts DISABLE TRIGGER zz_by_hand;"
                 "UPDATE contacts SET phone_number = '+12125550000' WHERE id = 4242;"
                 "UPDATE contacts SET phone_number = NULL WHERE id = 4243")
        seen = proof.columns_agree(self.conninfo)
        self.assertEqual((seen.rows, seen.wrong), (ROWS, 2))
        self.assertEqual(sorted(seen.examples), ["contacts (id)=(4242)", "contacts (id)=(4243)"])
        self.assertFalse(proof.judge_rows("", seen).holds)

    def test_a_number_that_is_not_normalised(self) -> None:
        self.sql(MIGRATE_BY_HAND)
        self.sql("ALTER TABLE contacts DISABLE TRIGGER zz_by_hand;"
                 "UPDATE contacts SET phone_number = '2125550000' WHERE id = 4242")
        self.assertFalse(proof.judge_rows("", proof.numbers_are_normalised(self.conninfo)).holds)

    def test_what_a_migration_left_behind(self) -> None:
        self.sql(MIGRATE_BY_HAND)
        self.sql("CREATE SCHEMA curlew; ALTER FUNCTION by_hand() SET SCHEMA curlew;"
                 "ALTER TABLE contacts ADD CONSTRAINT late CHECK (phone_number ~ '^.1') NOT VALID")
        found = proof.left_over(self.conninfo)
        self.assertEqual(sorted(found), ["column phone", "constraint late that is not validated",
                                         "trigger zz_by_hand on contacts"])
        self.assertFalse(proof.judge_left_over("", found).holds)
        self.sql("DROP FUNCTION curlew.by_hand() CASCADE; ALTER TABLE contacts VALIDATE CONSTRAINT late;"
                 "ALTER TABLE contacts DROP COLUMN phone")
        self.assertEqual(proof.left_over(self.conninfo), [])

    def test_an_empty_table(self) -> None:
        self.sql("ALTER TABLE contacts ADD COLUMN phone_number text; TRUNCATE contacts CASCADE")
        self.assertFalse(proof.judge_rows("", proof.columns_agree(self.conninfo)).holds)

    def test_a_write_that_was_lost(self) -> None:
        self.run_applications("old")
        results = proof.load_results(self.out, "old")
        self.assertTrue(proof.judge_rows("", proof.twins_agree(self.conninfo, results, "phone")).holds)
        lost = next(iter(results[0].twin))
        self.sql(f"UPDATE contacts SET phone = '(212) 555-0000' WHERE id = {lost}")
        seen = proof.twins_agree(self.conninfo, results, "phone")
        self.assertEqual(seen.wrong, 1)
        self.assertIn(f"({lost})", seen.examples[0])

    def test_a_deleted_row_that_came_back(self) -> None:
        self.run_applications("old", seconds=2.5)
        results = [result for result in proof.load_results(self.out, "old") if result.deleted]
        back = results[0].deleted[0]
        self.sql(f"INSERT INTO contacts (id, tenant_id, name, email, phone) VALUES ({back}, 1, 'x', 'x', '2125550000')")
        self.assertEqual(proof.twins_agree(self.conninfo, results, "phone").wrong, 1)

    def test_an_application_with_an_error(self) -> None:
        app = self.start_application("old")
        time.sleep(1)
        self.sql("ALTER TABLE contacts RENAME COLUMN phone TO phone_number")
        time.sleep(1)
        self.drain(app)
        verdict = proof.judge_errors("old", proof.load_results(self.out, "old"), WORKERS)
        self.assertFalse(verdict.holds)
        self.assertIn("42703", verdict.details[0])

    def test_an_application_that_reads_what_it_did_not_write(self) -> None:
        self.sql("CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS "
                 "$$ BEGIN NEW.phone := '2125550000'; RETURN NEW; END $$;"
                 "CREATE TRIGGER meddle BEFORE UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION meddle()")
        self.run_applications("old", seconds=2)
        verdict = proof.judge_errors("old", proof.load_results(self.out, "old"), WORKERS)
        self.assertFalse(verdict.holds)
        self.assertIn("not what was last written", " ".join(verdict.details))

    def test_a_worker_that_died(self) -> None:
        self.run_applications("old", seconds=0.5)
        next(self.out.glob("old-*.json")).unlink()
        self.assertFalse(proof.judge_errors("old", proof.load_results(self.out, "old"), WORKERS).holds)

    def test_an_application_that_never_ran(self) -> None:
        self.assertFalse(proof.judge_errors("old", [], 0).holds)


class TestObserver(Database):
    """Waits are measured, and laid at the right door."""

    def waits_while(self, holder: str, seconds: float, queued: str | None = None) -> Observation:
        """What is seen while `holder` holds contacts (or `queued` waits for it) and an application reads it."""
        observer = Observer(self.conninfo)
        holding = psycopg2.connect(self.conninfo, application_name=holder)
        holding.cursor().execute(f"LOCK TABLE contacts IN {'ACCESS SHARE' if queued else 'ACCESS EXCLUSIVE'} MODE")
        threads = []
        if queued:
            threads.append(threading.Thread(target=self.execute, args=(queued, "LOCK TABLE contacts")))
            threads[0].start()
            self.wait_until_waiting(1)
        threads.append(threading.Thread(target=self.execute, args=("crm-old", "SELECT count(*) FROM contacts")))
        threads[-1].start()
        self.wait_until_waiting(len(threads))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            observer.look()
            time.sleep(0.005)
        holding.close()
        for thread in threads:
            thread.join()
        observer.look()
        return observer.finish()

    def execute(self, application: str, statement: str) -> None:
        connection = psycopg2.connect(self.conninfo, application_name=application)
        connection.cursor().execute(statement)
        connection.close()

    def wait_until_waiting(self, count: int) -> None:
        connection = psycopg2.connect(self.conninfo)
        connection.autocommit = True
        cursor = connection.cursor()
        found = -1
        while found < count:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            found = cursor.fetchone()[0]
        connection.close()

    def test_a_lock_that_curlew_holds(self) -> None:
        seen = self.waits_while("curlew staging-crm", 1.2)
        self.assertEqual(seen.wait_count, 1)
        self.assertGreater(seen.longest[0].at_least, 1.1)
        verdict = proof.judge_locks("", seen)
        self.assertFalse(verdict.holds)
        self.assertIn("LOCK TABLE contacts", verdict.details[0])

    def test_a_lock_that_curlew_is_queued_for(self) -> None:
        self.assertFalse(proof.judge_locks("", self.waits_while("crm-report", 1.2, queued="curlew x")).holds)

    def test_a_short_wait_is_counted_and_passes(self) -> None:
        seen = self.waits_while("curlew staging-crm", 0.2)
        self.assertEqual(seen.wait_count, 1)
        self.assertTrue(0.19 < seen.longest_wait() < 0.9, seen)
        self.assertTrue(proof.judge_locks("", seen).holds)

    def test_a_lock_of_somebody_else_is_not_curlews(self) -> None:
        seen = self.waits_while("crm-report", 0.3)
        self.assertEqual(seen.wait_count, 0)

    def test_waiting_through_others_counts(self) -> None:
        self.assertEqual(culprit(1, {1: [2], 2: [3, 1]}, {3: "x"}), 3)
        self.assertIsNone(culprit(1, {1: [2], 2: [1]}, {3: "x"}))

    def test_a_blind_observer_proves_nothing(self) -> None:
        self.assertFalse(proof.judge_locks("", Observation(looks=5, longest_gap=3.0)).holds)
        self.assertFalse(proof.judge_locks("", Observation()).holds)
        wait = Wait("crm-old", "x", 0, 0.1, 0.2, "", "")
        self.assertTrue(proof.judge_locks("", Observation(100, 0.02, 1, 0.2, [wait])).holds)


class TestDirtyData(Database):
    """crm.sql with dirt, and the fingerprint of a schema."""

    def test_dirt_is_what_the_scenario_promises(self) -> None:
        dirty = Cluster("dirty", self.root)
        dirty.create()
        dirty.start()
        self.addCleanup(dirty.stop)
        dirty.load(1_000, dirty=True)
        connection = psycopg2.connect(dirty.conninfo())
        cursor = connection.cursor()
        cursor.execute("SELECT array_agg(id ORDER BY id) FROM contacts WHERE phone IS NULL")
        self.assertEqual(cursor.fetchone()[0], [17, 42, 77])
        cursor.execute("SELECT id, tenant_id, phone FROM contacts WHERE phone IS NOT NULL")
        owners: dict[tuple, list[int]] = {}
        for row, tenant, phone in cursor.fetchall():
            owners.setdefault((tenant, phones.normalise(phone)), []).append(row)
        connection.close()
        self.assertEqual(sorted(sorted(rows) for rows in owners.values() if len(rows) > 1), [[23, 63], [45, 85]])

    def test_a_migration_that_is_undone_leaves_the_schema_as_it_was(self) -> None:
        before = self.cluster.schema_dump()
        self.sql(MIGRATE_BY_HAND)
        self.assertNotEqual(self.cluster.schema_dump(), before)
        self.sql(UNDO_BY_HAND)
        self.assertEqual(self.cluster.schema_dump(), before)


if __name__ == "__main__":
    unittest.main()
