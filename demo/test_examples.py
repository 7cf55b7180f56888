"""Every example plan on the demo's CRM, by real programs: undone at the gate before DROP, then carried through.

    /usr/bin/python3 demo/test_examples.py [BIN]

BIN is the folder of curlew, curlew-controller and curlew-agent; default build/bin.
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

import curlew
from curlew import Rollout
from fleet import ENVIRONMENTS, EXAMPLES, Fleet

ROWS = 2_000
SECONDS = 60.0
BIN = EXAMPLES.parent / "build" / "bin"


class Examples(unittest.TestCase):
    """One pipeline for all plans: each leaves staging and production alike."""

    fleet: Fleet

    @classmethod
    def setUpClass(cls) -> None:
        curlew.POLL_SECONDS = 0.1
        cls.fleet = Fleet(BIN, ROWS, ROWS)
        cls.addClassCleanup(cls.fleet.close)
        cls.fleet.start_databases(dirty=False)
        environments = cls.fleet.root / "environments.yaml"
        environments.write_text(ENVIRONMENTS.read_text().replace("    soak: 3s\n", ""))
        cls.fleet.start_control_plane(environments=environments)

    def test_every_example_is_undone_without_a_trace_and_then_carried_through(self) -> None:
        plans = sorted((EXAMPLES / "plans").glob("*.yaml"))
        self.assertGreater(len(plans), 8)
        # What renames a column comes last: the others name it as it was.
        for plan in sorted(plans, key=lambda path: path.stem.startswith("rename")):
            with self.subTest(plan=plan.name):
                self.undo_at_the_drop_gate(plan)
                self.carry_through(plan)
                if plan.stem == "sql":
                    for site in self.fleet.sites:  # A column that a view shows cannot be renamed.
                        site.cluster.psql("DROP VIEW public.open_conversations")

    def undo_at_the_drop_gate(self, plan: Path) -> None:
        before = self.dumps()
        rollout = self.start(plan, "undone")
        seen = self.wait(rollout, lambda r: bool(r.gates()) or r.state != "RUNNING")
        self.assertEqual(seen.gates(), ["staging/before-drop"], seen.describe_failure())
        self.assertNotEqual(self.dumps()[0], before[0])
        self.assertEqual(self.dumps()[1], before[1])
        self.fleet.curlew.run("rollout", "rollback", rollout)
        seen = self.wait(rollout, lambda r: r.state != "ROLLING_BACK")
        self.assertEqual(seen.state, "ROLLED_BACK", seen.describe_failure())
        self.assertEqual(self.dumps(), before)

    def carry_through(self, plan: Path) -> None:
        rollout = self.start(plan, "done")
        for gate in ("staging/before-drop", "production/before", "production/before-drop"):
            seen = self.wait(rollout, lambda r, gate=gate: r.waits_for_gate(gate) or r.state != "RUNNING")
            self.assertTrue(seen.waits_for_gate(gate), seen.describe_failure())
            self.fleet.curlew.run("rollout", "approve", rollout, "--gate", gate)
        seen = self.wait(rollout, lambda r: r.state != "RUNNING")
        self.assertEqual(seen.state, "SUCCEEDED", seen.describe_failure())
        staging, production = self.dumps()
        self.assertEqual(staging, production)

    def start(self, plan: Path, suffix: str) -> str:
        rollout = f"{plan.stem.replace('_', '-')}-{suffix}"
        self.fleet.curlew.run("rollout", "start", str(plan), "--id", rollout)
        return rollout

    def wait(self, rollout: str, reached) -> Rollout:
        return self.fleet.curlew.wait_until(rollout, reached, SECONDS)

    def dumps(self) -> list[str]:
        return [site.cluster.schema_dump() for site in self.fleet.sites]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        BIN = Path(sys.argv.pop(1))
    unittest.main()
