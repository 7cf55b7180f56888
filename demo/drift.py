"""The scenario in which one database of production is not what staging was: the rollout stops before it begins."""

from __future__ import annotations

import subprocess

import proof
import siblings
from curlew import Rollout
from fleet import APPROVER, EXAMPLES, Fleet, Site
from proof import Verdict
from scenario import Scenario
from screen import Screen

WATCH_SECONDS = 600.0
HOTFIX = "contacts_phone_hotfix_idx"


class Drift(Scenario):
    """Found by `curlew drift`, and again by the rollout itself; mended, it goes on to its end."""

    title = "somebody has made an index by hand in one database of production"
    siblings = 5
    environments = EXAMPLES / "pipelines" / "demo.yaml"

    def __init__(self, fleet: Fleet, screen: Screen):
        super().__init__(fleet, screen)
        self._dumps: dict[str, str] = {}
        self._drift = ""
        self._drift_status = 0
        self._stopped = Rollout({})
        self._untouched: list[Verdict] = []
        self._ended = Rollout({})

    def application_sites(self) -> list[Site]:
        return []

    def begin_staging(self) -> None:
        production, drifted = self.sites[-1], self.sites[-1].siblings[1]
        self.screen.verbatim(f"{drifted.database}=> CREATE INDEX {HOTFIX} ON contacts (phone);")
        production.cluster.psql(f"SET ROLE crm_owner; CREATE INDEX {HOTFIX} ON contacts (phone);",
                                database=drifted.database)
        self._dumps = siblings.dumps(production) | {production.target: production.cluster.schema_dump()}
        self.screen.verbatim("$ curlew drift staging production")
        curlew = self.fleet.curlew
        done = subprocess.run([str(curlew.program), "drift", "staging", "production"], text=True, capture_output=True,
                              env=curlew.environment, check=False, timeout=60)
        self._drift, self._drift_status = done.stdout, done.returncode
        self.screen.verbatim(done.stdout + done.stderr)

    def migrate(self) -> None:
        production, drifted = self.sites[-1], self.sites[-1].siblings[1]
        self.screen.section("Staging: the whole way; then production is compiled, and stops")
        self._pass("staging/before-drop", lambda seen: seen.state == "FAILED")
        self._stopped = self.watch(lambda seen: seen.state == "FAILED", WATCH_SECONDS)
        if self._stopped.state != "FAILED":
            raise self.failed(self._stopped, "stopped before production")
        self.screen.verbatim(self._stopped.describe_failure())
        self._untouched = siblings.judge_untouched(
            production, {target: dump for target, dump in self._dumps.items() if target != production.target})
        self.screen.section("Somebody takes the index away, and resumes")
        self.screen.verbatim(f"{drifted.database}=> DROP INDEX {HOTFIX};")
        production.cluster.psql(f"DROP INDEX {HOTFIX}", database=drifted.database)
        self.command("rollout", "resume", self.rollout, "--reason", "the index is gone")
        for gate in ("production/before", "production/before-drop"):
            self._pass(gate)
        self._ended = self.watch(lambda seen: seen.state == "SUCCEEDED", WATCH_SECONDS)

    def prove(self) -> bool:
        production, drifted = self.sites[-1], self.sites[-1].siblings[1]
        self.screen.section("What became of it: queries of the demo's own, and pg_dump")
        named = drifted.target in self._drift and HOTFIX in self._drift
        failure = self._stopped.describe_failure()
        at = [run["target"] for run in self._stopped.values.get("runs", []) if run.get("state") == "RUN_STATE_FAILED"]
        verdicts = [
            Verdict("curlew drift", f"status {self._drift_status}, names {'target and index' if named else 'neither'}",
                    named and self._drift_status != 0),
            Verdict("the rollout stopped at", ", ".join(at) or "nothing", at == [drifted.target]),
            Verdict("it showed the difference", "yes" if HOTFIX in failure else "no", HOTFIX in failure, [failure]),
            *self._untouched,
            Verdict("rollout, in the end", self._ended.state, self._ended.state == "SUCCEEDED"),
            *siblings.judge_migrated(production),
            proof.judge_left_over("production: left of the old shape", proof.left_over(production.cluster.conninfo())),
        ]
        verdicts += self.finish_observers()
        return self.print_verdicts(verdicts)

    def keep(self) -> None:
        self.fleet.keep("new-kept", ["production"])

    def _pass(self, gate: str, or_else=lambda seen: False) -> None:
        seen = self.watch(lambda rollout: rollout.waits_for_gate(gate) or or_else(rollout), WATCH_SECONDS)
        if not seen.waits_for_gate(gate):
            raise self.failed(seen, f"arrived at the gate {gate}")
        self.command("rollout", "approve", self.rollout, "--gate", gate, "--reason", "seen and understood", by=APPROVER)
