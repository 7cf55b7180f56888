"""Every example plan on the demo's CRM, by real programs: undone at the gate before DROP, then carried through.

    /usr/bin/python3 demo/test_examples.py [BIN [PART OF]]

BIN is the folder of curlew, curlew-controller and curlew-agent; default build/bin. PART OF: every OF-th plan from PART
on, counted from 0; default all.
"""

from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path

import curlew
from curlew import Rollout
from fleet import APPROVER, ENVIRONMENTS, EXAMPLES, Fleet

ROWS = 300
SECONDS = 60.0
BIN = EXAMPLES.parent / "build" / "bin"
PART, OF = 0, 1
# What an undo cannot take away again, as the plan's warnings say: lines of the dump that may stay.
LEFT = {"add_enum_value": "'snoozed'"}


class Examples(unittest.TestCase):
    """One control plane for all plans; each finds a CRM as crm.sql makes it."""

    fleet: Fleet

    @classmethod
    def setUpClass(cls) -> None:
        curlew.POLL_SECONDS = 0.05
        cls.fleet = Fleet(BIN, ROWS, ROWS)
        cls.addClassCleanup(cls.fleet.close)
        cls.fleet.start_databases(dirty=False)
        environments = cls.fleet.root / "environments.yaml"
        environments.write_text(ENVIRONMENTS.read_text().replace("    soak: 3s\n", ""))
        cls.fleet.start_control_plane(environments=environments)

    def test_every_example_is_undone_without_a_trace_and_then_carried_through(self) -> None:
        plans = sorted([*(EXAMPLES / "plans").glob("*.yaml"), *(EXAMPLES / "beyond").glob("*.yaml")])
        self.assertGreater(len(plans), 8)
        for plan in plans[PART::OF]:
            with self.subTest(plan=plan.name):
                self.fresh_crm(EXAMPLES / "plans" / "setup" / f"{plan.stem}.sql")
                quick = self.fleet.in_a_hurry(plan, "50ms")
                self.undo_at_the_drop_gate(plan, quick)
                self.carry_through(plan, quick)

    def fresh_crm(self, setup: Path) -> None:
        """The CRM anew on both sites, and what the plan needs beside it."""
        extra = f"SET ROLE crm_owner;\n{setup.read_text()}" if setup.exists() else ""
        for site in self.fleet.sites:
            site.cluster.refill(site.rows, extra)

    def undo_at_the_drop_gate(self, plan: Path, quick: Path) -> None:
        before = self.dumps()
        rollout = self.start(plan, quick, "undone")
        seen = self.wait(rollout, lambda r: bool(r.gates()) or r.state != "RUNNING")
        self.assertEqual(seen.gates(), ["staging/before-drop"], seen.describe_failure())
        if seen.changes_before_drop("staging-crm"):
            self.assertNotEqual(self.dumps()[0], before[0])
        self.assertEqual(self.dumps()[1], before[1])
        self.fleet.curlew.run("rollout", "rollback", rollout)
        seen = self.wait(rollout, lambda r: r.state != "ROLLING_BACK")
        self.assertEqual(seen.state, "ROLLED_BACK", seen.describe_failure())
        after = self.dumps()
        if plan.stem in LEFT:
            self.assertIn(LEFT[plan.stem], after[0])
        else:
            self.assertEqual(after, before)

    def carry_through(self, plan: Path, quick: Path) -> None:
        rollout = self.start(plan, quick, "done")
        for gate in ("staging/before-drop", "production/before", "production/before-drop"):
            seen = self.wait(rollout, lambda r, gate=gate: r.waits_for_gate(gate) or r.state != "RUNNING")
            self.assertTrue(seen.waits_for_gate(gate), seen.describe_failure())
            self.fleet.people[APPROVER].approve(rollout, gate)
        seen = self.wait(rollout, lambda r: r.state != "RUNNING")
        self.assertEqual(seen.state, "SUCCEEDED", seen.describe_failure())
        staging, production = self.dumps()
        self.assertEqual(staging, production)
        # What the plan makes belongs to the role that made it.
        self.assertNotIn("curlew", re.sub(r"(Owner: |OWNER TO )curlew\b", "", staging))

    def start(self, plan: Path, quick: Path, suffix: str) -> str:
        rollout = f"{plan.stem.replace('_', '-')}-{suffix}"
        self.fleet.curlew.run("rollout", "start", str(quick), "--id", rollout)
        return rollout

    def wait(self, rollout: str, reached) -> Rollout:
        return self.fleet.curlew.wait_until(rollout, reached, SECONDS)

    def dumps(self) -> list[str]:
        return [site.cluster.schema_dump() for site in self.fleet.sites]


if __name__ == "__main__":
    if len(sys.argv) > 2:
        PART, OF = int(sys.argv.pop(2)), int(sys.argv.pop(2))
    if len(sys.argv) > 1:
        BIN = Path(sys.argv.pop(1))
    unittest.main()
