"""The scenario in which the first database of production gets ill: it goes back, the others are never touched."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import proof
import siblings
from curlew import Rollout
from fleet import APPROVER, EXAMPLES, WORKERS, Fleet, Site
from proof import Verdict
from scenario import Scenario
from screen import Screen

WATCH_SECONDS = 300.0
CHECK = "error-rate"


class Monitoring:
    """What a monitoring system would say of each target: GET /health/TARGET. Everything is well until tell_ill()."""

    def __init__(self) -> None:
        self._ill: set[str] = set()
        self.asked: set[str] = set()
        monitoring = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                target = self.path.rpartition("/")[2]
                monitoring.asked.add(target)
                self.send_response(503 if target in monitoring._ill else 200)
                self.end_headers()

            def log_message(self, *_) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/health"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def tell_ill(self, target: str) -> None:
        self._ill.add(target)


class BadCanary(Scenario):
    """Staging is carried through; in production the health check fails at the first database."""

    title = "a health check fails at the first database of production"
    siblings = 5

    def __init__(self, fleet: Fleet, screen: Screen):
        super().__init__(fleet, screen)
        self._monitoring = Monitoring()
        self._dumps: dict[str, str] = {}
        self._canary_dump = ""
        self._changed = False
        self._ended = Rollout({})
        self._report = ""

    def pipeline(self) -> Path:
        text = (EXAMPLES / "pipelines" / "demo.yaml").read_text().rstrip()
        path = self.fleet.root / "environments.yaml"
        path.write_text(f"""{text}
    on_unhealthy: rollback
    health:
      - name: {CHECK}
        http: {{url: "{self._monitoring.url}/{{target}}"}}
        interval: 1s
        timeout: 1s
        failure_threshold: 2
""".replace("bake: 3s", "bake: 60s"))
        self.screen.say(f"Its health check asks {self._monitoring.url}/TARGET.")
        return path

    def application_sites(self) -> list[Site]:
        return [self.sites[-1]]

    def migrate(self) -> None:
        production = self.sites[-1]
        self.screen.section("Staging: the whole way")
        self._pass("staging/before-drop", "nobody uses it here")
        self._dumps = siblings.dumps(production)
        self._canary_dump = production.cluster.schema_dump()
        self.screen.section("Promotion to production: the canary's error rate rises while it is migrated")
        self._pass("production/before", "staging has run on the new column alone")
        self._ended = self.watch(lambda seen: seen.state == "ROLLED_BACK", WATCH_SECONDS, self._fall_ill)

    def prove(self) -> bool:
        production = self.sites[-1]
        self.screen.section("What `curlew rollout report` says of it, in part")
        self._report = self.fleet.curlew.run("rollout", "report", self.rollout)
        (self.fleet.root / "report.md").write_text(self._report)
        self.screen.verbatim("\n".join(line for line in self._report.splitlines()
                                       if CHECK in line or "rolled back" in line.lower())[:2500])
        self.screen.section("What became of it: queries of the demo's own, pg_dump, and the application's count")
        results = production.drain_application("old")
        same = production.cluster.schema_dump() == self._canary_dump
        reported = CHECK in self._report and production.target in self._report and "rolled back" in self._report.lower()
        verdicts = [
            Verdict("rollout, in the end", self._ended.state, self._ended.state == "ROLLED_BACK"),
            Verdict("production-crm had been changed", "by then" if self._changed else "not at all", self._changed),
            Verdict("production-crm: pg_dump before and after", "identical" if same else "they differ", same),
            proof.judge_errors("production-crm: old application", results, WORKERS),
            proof.judge_rows("production-crm: what it wrote",
                             proof.twins_agree(production.cluster.conninfo(), results, "phone")),
            *siblings.judge_untouched(production, self._dumps),
            Verdict("the check was asked of", ", ".join(sorted(self._monitoring.asked)) or "nobody",
                    self._monitoring.asked == {production.target}),
            Verdict("the report names check and target", "yes" if reported else "no", reported),
        ]
        verdicts += self.finish_observers()
        return self.print_verdicts(verdicts)

    def keep(self) -> None:
        self.fleet.keep("old-kept", ["production"])

    def _pass(self, gate: str, reason: str) -> None:
        seen = self.watch(lambda rollout: rollout.waits_for_gate(gate), WATCH_SECONDS)
        if not seen.waits_for_gate(gate):
            raise self.failed(seen, f"arrived at the gate {gate}")
        self.command("rollout", "approve", self.rollout, "--gate", gate, "--reason", reason, by=APPROVER)

    def _fall_ill(self, seen: Rollout) -> None:
        """Once something is there to go back from."""
        canary = self.sites[-1].target
        done = [step for step in seen.run(canary).get("steps", [])
                if step.get("has_undo") and step.get("state") == "STEP_STATE_SUCCEEDED"]
        if done and not self._changed:
            self._changed = self.sites[-1].cluster.schema_dump() != self._canary_dump
            self._monitoring.tell_ill(canary)
