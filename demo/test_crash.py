"""kill -9 in the middle of production's backfill, and a restart: the database is right, each row done once.

    /usr/bin/python3 demo/test_crash.py [BIN]

BIN is the folder of curlew, curlew-controller and curlew-agent; default build/bin. Each row done once is
counted by a trigger of the test's own, in the transactions of the writes themselves.
"""

from __future__ import annotations

import sys
import time
import unittest
from pathlib import Path

import proof
from fleet import APPROVER, EXAMPLES, PLAN, Fleet, Site
from processes import Process

ROWS = 150_000
SECONDS = 180.0
BIN = EXAMPLES.parent / "build" / "bin"

COUNT_UPDATES = """
SET ROLE crm_owner;
CREATE TABLE updated (id bigint NOT NULL);
CREATE FUNCTION note_update() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.updated VALUES (NEW.id); RETURN NULL; END $$;
CREATE TRIGGER note_update AFTER UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION note_update();
"""


class Crash(unittest.TestCase):
    """No application runs, so that every update is the backfill's."""

    fleet: Fleet
    production: Site

    def setUp(self) -> None:
        self.fleet = Fleet(BIN, 2_000, ROWS)
        self.addCleanup(self.fleet.close)
        self.production = self.fleet.sites[-1]
        self.fleet.start_databases(dirty=False)
        self.production.cluster.psql(COUNT_UPDATES)
        self.fleet.start_control_plane()
        self.fleet.curlew.run("rollout", "start", str(self.fleet.in_a_hurry(PLAN, "50ms")), "--id", "crash")
        self.approve("staging/before-drop")
        self.approve("production/before")

    def test_agent_killed_in_the_middle_of_the_backfill(self) -> None:
        self.kill_in_the_backfill("agent-production")
        self.assert_right()

    def test_controller_killed_in_the_middle_of_the_backfill(self) -> None:
        self.kill_in_the_backfill("controller")
        self.assert_right()

    def approve(self, gate: str) -> None:
        seen = self.fleet.curlew.wait_until("crash", lambda r: r.waits_for_gate(gate) or r.state != "RUNNING", SECONDS)
        self.assertTrue(seen.waits_for_gate(gate), seen.describe_failure())
        self.fleet.people[APPROVER].approve("crash", gate)

    def updated(self) -> int:
        return proof.count(self.production.cluster.conninfo(), "SELECT count(*) FROM updated")

    def kill_in_the_backfill(self, name: str) -> None:
        deadline = time.monotonic() + SECONDS
        while self.updated() < ROWS // 10:
            self.assertLess(time.monotonic(), deadline, "the backfill does not begin")
        position = [service.name for service in self.fleet.services].index(name)
        old = self.fleet.services[position]
        old.kill()
        self.assertLess(self.updated(), ROWS, "the backfill was over before the kill")
        self.fleet.services[position] = Process(old.name, old.command, old.log)
        if name == "controller":
            self.fleet.wait_for_targets()

    def assert_right(self) -> None:
        gate = "production/before-drop"
        seen = self.fleet.curlew.wait_until("crash", lambda r: r.waits_for_gate(gate) or r.state != "RUNNING", SECONDS)
        self.assertTrue(seen.waits_for_gate(gate), f"{seen.describe_failure()}\n{self.fleet.logs()}")
        conninfo = self.production.cluster.conninfo()
        self.assertEqual(self.updated(), ROWS)
        self.assertEqual(proof.count(conninfo, "SELECT count(DISTINCT id) FROM updated"), ROWS)
        compared = proof.columns_agree(conninfo)
        self.assertEqual((compared.rows, compared.wrong), (ROWS, 0), compared.examples)
        self.approve(gate)
        seen = self.fleet.curlew.wait_until("crash", lambda r: r.state != "RUNNING", SECONDS)
        self.assertEqual(seen.state, "SUCCEEDED", seen.describe_failure())
        self.assertEqual(proof.left_over(conninfo), [])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        BIN = Path(sys.argv.pop(1))
    unittest.main()
