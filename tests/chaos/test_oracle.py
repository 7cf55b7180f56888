"""The oracle finds what is wrong, and nothing where nothing is: on databases that look as if a rollout had ended.

    /usr/bin/python3 tests/chaos/test_oracle.py

Brings its own cluster; needs no program of Curlew.
"""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
sys.path[:0] = [str(HERE), str(REPOSITORY / "demo")]

import oracle  # noqa: E402
import points  # noqa: E402
import rounds  # noqa: E402
import sabotage  # noqa: E402
from cluster import SUPERUSER  # noqa: E402
from faults import FAULT_POINT, FREEZE_AT_POINT  # noqa: E402
from points import Deck  # noqa: E402
from proxy import Proxies  # noqa: E402
from server import SETTINGS, Downtime, Server  # noqa: E402

ROWS = 300
STEPS = ["add-1", "add-2", "drop-3"]
# What the plan makes of shop.sql, in one transaction and by nobody who could be interrupted.
MIGRATED = """
ALTER TABLE account ADD COLUMN domain text, ADD COLUMN phone_number text;
UPDATE account SET domain = split_part(email, '@', 2), phone_number = '+1' || phone, hits = hits + 1;
ALTER TABLE account DROP COLUMN phone, DROP COLUMN old_code, ALTER COLUMN weight TYPE bigint;
CREATE INDEX account_domain_idx ON account (domain);
CREATE INDEX account_email_idx ON account (email);
INSERT INTO tally SELECT id, 1 FROM ledger;
DELETE FROM attic WHERE stale;
INSERT INTO curlew.run VALUES ('r', 'p', 'd', '{}');
INSERT INTO curlew.step (run, step, direction, state, attempt, epoch, finished)
  SELECT 'r', step, 'do', 'succeeded', 1, 1, now() FROM unnest(ARRAY['add-1', 'add-2', 'drop-3']) AS step;
"""
EVENTS = [
    {"number": "1", "type": "EVENT_TYPE_ROLLOUT_CREATED"},
    {"number": "2", "type": "EVENT_TYPE_STEP_SUCCEEDED", "target": "staging", "step": "add-1"},
    {"number": "3", "type": "EVENT_TYPE_GATE_OPENED", "message": "gate staging/before-drop is open"},
    {"number": "4", "type": "EVENT_TYPE_STEP_STARTED", "target": "staging", "step": "drop-1", "phase": "PHASE_DROP"},
    {"number": "5", "type": "EVENT_TYPE_STEP_SUCCEEDED", "target": "staging", "step": "drop-1"},
]


class OracleTest(unittest.TestCase):
    server: Server
    root: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.root = Path(tempfile.mkdtemp(prefix="curlew-chaos-", dir="/var/tmp"))
        cls.root.chmod(0o711)
        cls.server = Server("oracle", cls.root, passwords={SUPERUSER: secrets.token_hex(12)}, settings=SETTINGS)
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.addClassCleanup(cls.server.stop)
        cls.server.create()
        cls.server.start()
        cls.server.psql("CREATE ROLE chaos_owner; CREATE ROLE chaos_client", database="postgres")
        cls.server.psql("CREATE DATABASE before OWNER chaos_owner", database="postgres")
        cls.server.psql((HERE / "shop.sql").read_text(), database="before", variables={"rows": str(ROWS)})
        for path in sorted((REPOSITORY / "migrations" / "agent").glob("*.up.sql")):
            cls.server.psql(path.read_text(), database="before")
        cls.server.psql("CREATE DATABASE after TEMPLATE before", database="postgres")
        cls.server.psql(MIGRATED, database="after")

    def findings(self, database: str, migrated: bool) -> list[str]:
        """All that a round would say of a database, compared with what `after` or `before` is."""
        expected = "after" if migrated else "before"
        return [
            *oracle.rows_equal_the_twin(self.server, database, migrated)[1],
            *oracle.rows_are_counted_once(self.server, database, migrated, ROWS),
            *oracle.ledger_is_tallied_once(self.server, database, migrated),
            *oracle.attic_is_purged(self.server, database, migrated),
            *oracle.same_text("data", oracle.untouched_data(self.server, database),
                              oracle.untouched_data(self.server, expected)),
            *oracle.left_over(self.server, database),
            *oracle.same_text("pg_dump", self.server.schema_dump(database=database),
                              self.server.schema_dump(database=expected)),
            *oracle.journal_is_whole(self.server, database, STEPS if migrated else [], migrated),
        ]

    def test_nothing_is_wrong_where_nothing_is(self) -> None:
        self.assertEqual(self.findings("after", True), [])
        self.assertEqual(self.findings("before", False), [])

    def test_each_sabotage_is_found(self) -> None:
        expected = {
            "batch-twice": "counted 2 times", "batch-skipped": "counted 0 times", "lost-write": "differs from its twin: score",
            "lost-row": "is missing", "tally-twice": "ledger 5 was tallied 2", "invalid-index": "account_email_idx is not valid",
            "not-valid": "late of account is NOT VALID", "marker-left": "left over: column curlew_pending_x",
            "index-lost": "pg_dump differs", "other-data": "data differs", "journal-lost": "does not have drop-3 as done",
            "journal-half": "has add-2 as begun only", "purged-too-much": "attic 9 is gone", "purged-too-little": "attic 10 is still",
        }
        self.assertEqual(sorted(expected), sorted(sabotage.AT_THE_END))
        for name, text in expected.items():
            with self.subTest(name):
                self.broken_is_found("after", True, sabotage.AT_THE_END[name], text)

    def test_what_a_rollback_left_is_found(self) -> None:
        for script, text in (
                ("UPDATE account SET hits = hits + 1 WHERE id = 3", "account 3 was counted 1 times instead of never"),
                ("DELETE FROM attic WHERE id = 10", "attic 10 is gone"),
                ("INSERT INTO tally VALUES (4, 1)", "ledger 4 was tallied 1"),
                ("UPDATE account SET phone = '1' WHERE id = 3", "account 3 differs from its twin: phone"),
                ("ALTER TABLE account ADD COLUMN domain text", "pg_dump differs"),
                ("CREATE FUNCTION curlew.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'", "function curlew.f()"),
                ("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                 "CREATE TRIGGER t BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION f()", "trigger t of account")):
            with self.subTest(script):
                self.broken_is_found("before", False, script, text)

    def test_rows_inserted_meanwhile_are_counted_up_to_some_moment(self) -> None:
        first = 2 * oracle.IDS_FOR_EACH
        for more, wrong in (((1, 1, 0, 0), 0), ((0, 0, 0, 0), 0), ((1, 0, 1, 0), 1), ((2, 0, 0, 0), 1)):
            with self.subTest(more):
                self.copy("after")
                for table, hits in (("account", lambda m: 5 + m), ("account_twin", lambda m: 5)):
                    for number, m in enumerate(more):
                        shape = "phone_number, domain" if table == "account" else "phone, old_code"
                        values = "'+17', 'b'" if table == "account" else "'7', 'c'"
                        self.server.query("broken", f"INSERT INTO {table} (id, owner, serial, email, hits, {shape})"
                                          f" VALUES ({first + number}, 2, {number}, 'a@b', {hits(m)}, {values})")
                found = oracle.rows_are_counted_once(self.server, "broken", True, ROWS)
                self.assertEqual(len(found), wrong, found)

    def test_events_that_are_missing_repeated_or_out_of_order_are_found(self) -> None:
        self.assertEqual(oracle.events_are_whole(EVENTS, 5), [])
        for events, last in ((EVENTS[:2] + EVENTS[3:], 5), (EVENTS[:2] + EVENTS[1:], 5), (EVENTS, 6), (EVENTS[1:], 5),
                             ([EVENTS[1], EVENTS[0], *EVENTS[2:]], 5), ([], 1)):
            self.assertEqual(len(oracle.events_are_whole(events, last)), 1)

    def test_steps_that_end_twice_or_before_the_gate_are_found(self) -> None:
        steps = {"staging": ["add-1", "drop-1"]}
        self.assertEqual(oracle.steps_ended_once(EVENTS, steps), [])
        self.assertIn("drop-1 of staging began before the gate had opened",
                      oracle.steps_ended_once(EVENTS[:2] + EVENTS[3:], steps))
        self.assertIn("add-1 of staging ended well 2 times by the events", oracle.steps_ended_once(EVENTS + [EVENTS[1]], steps))
        self.assertIn("add-2 of staging ended well 0 times by the events",
                      oracle.steps_ended_once(EVENTS, {"staging": ["add-1", "add-2", "drop-1"]}))

    def test_clients_that_failed_waited_or_slept_are_found(self) -> None:
        def client(**values):
            return SimpleNamespace(**{"name": "c", "errors": [], "error_count": 0, "longest_seconds": 0.1, "committed": 9} | values)

        self.assertEqual(oracle.clients_were_undisturbed([client()], 5), [])
        for bad in (client(errors=["42703"], error_count=1), client(longest_seconds=6.0), client(committed=0)):
            self.assertEqual(len(oracle.clients_were_undisturbed([bad], 5)), 1)

    def copy(self, database: str) -> None:
        self.server.query("postgres", "DROP DATABASE IF EXISTS broken WITH (FORCE)")
        self.server.query("postgres", f"CREATE DATABASE broken TEMPLATE {database}")

    def broken_is_found(self, database: str, migrated: bool, script: str, text: str) -> None:
        self.copy(database)
        self.server.query("broken", script)
        found = self.findings("broken", migrated)
        self.assertTrue(any(text in line for line in found), found)


class ChoiceTest(unittest.TestCase):
    """The same seed makes the same choice."""

    def courses(self, seed: int) -> list[rounds.Course]:
        decks = points.decks(points.scan(REPOSITORY), seed)
        return [rounds.draw_course(seed, number, decks, True) for number in range(1, 6)]

    def test_a_seed_replays_its_choice_and_another_does_not(self) -> None:
        self.assertEqual(self.courses(7), self.courses(7))
        self.assertNotEqual(self.courses(7), self.courses(8))

    def test_every_point_is_dealt_once_before_any_is_dealt_again(self) -> None:
        names = [f"p{i}" for i in range(9)]
        deck = Deck(names, "x")
        self.assertEqual(sorted(deck.draw() for _ in names), names)
        self.assertIn(":", deck.draw())

    def test_rounds_for_the_sake_of_points_are_armed_with_those_alone_and_others_each_time(self) -> None:
        wanted = {"agent": ["a", "b", "c", "d", "e"], "controller": ["x"]}
        decks = points.decks(points.scan(REPOSITORY), 7)
        added = [rounds.draw_course(7, number, decks, True, wanted) for number in range(10, 15)]
        self.assertEqual({point for course in added for point in course.points}, {*wanted["agent"], "x"})
        dealt = {fault.detail for course in added for fault in course.faults
                 if fault.kind in (FAULT_POINT, FREEZE_AT_POINT)}
        self.assertLessEqual(dealt, {*wanted["agent"], "x"})
        self.assertTrue(all(course.patient and not course.rolls_back for course in added))

    def test_points_are_found_in_the_sources(self) -> None:
        found = points.scan(REPOSITORY)
        self.assertIn("backfill.after_commit", found["agent"])
        self.assertIn("store.before_commit", found["controller"])
        self.assertNotIn("store.before_commit", found["agent"])
        unknown = set(points.NEED_ANOTHER_PLAN) - set(found["agent"]) - set(found["controller"])
        self.assertEqual(unknown, set(), "points.NEED_ANOTHER_PLAN names points that are gone")


class DowntimeTest(unittest.TestCase):
    def test_only_what_overlaps_is_excused(self) -> None:
        down = Downtime()
        self.assertFalse(down.covers(0.0, 1e12))
        down.begin()
        began = down._spans[0][0]  # pylint: disable=protected-access
        down.end()
        ended = down._spans[0][1]  # pylint: disable=protected-access
        self.assertTrue(down.covers(began - 5, began))
        self.assertFalse(down.covers(began - 5, began - 1))
        self.assertFalse(down.covers(ended + 1, ended + 2))


class LinkTest(unittest.TestCase):
    """A link does what it is told."""

    def setUp(self) -> None:
        import socket
        import threading

        self.proxies = Proxies()
        self.addCleanup(self.proxies.close)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)

        def echo(connection) -> None:
            with connection:
                while data := connection.recv(100):
                    connection.sendall(data)

        def serve() -> None:
            try:
                while True:
                    threading.Thread(target=echo, args=(self.listener.accept()[0],), daemon=True).start()
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        self.link = self.proxies.add("link", self.listener.getsockname()[1])
        self.client = socket.create_connection(("127.0.0.1", self.link.port), timeout=5)
        self.addCleanup(self.client.close)

    def say(self, text: bytes) -> bytes:
        self.client.sendall(text)
        return self.client.recv(100)

    def test_carries_what_it_is_given(self) -> None:
        self.assertEqual(self.say(b"hello"), b"hello")

    def test_cut_ends_connections_and_refuses_new_ones_until_healed(self) -> None:
        import socket

        self.assertEqual(self.say(b"hello"), b"hello")
        self.link.cut()
        with self.assertRaises(ConnectionError):
            while self.client.recv(100):
                pass
            raise ConnectionResetError
        self.link.heal()
        with socket.create_connection(("127.0.0.1", self.link.port), timeout=5) as again:
            again.sendall(b"again")
            self.assertEqual(again.recv(100), b"again")

    def test_a_black_hole_holds_back_and_delivers_when_healed(self) -> None:
        self.assertEqual(self.say(b"hello"), b"hello")
        for direction in ("up", "down"):
            self.link.black_hole((direction,))
            self.client.settimeout(0.3)
            with self.assertRaises(TimeoutError):
                self.say(b"lost?")
            self.link.heal()
            self.client.settimeout(5)
            self.assertEqual(self.client.recv(100), b"lost?")


if __name__ == "__main__":
    unittest.main()
