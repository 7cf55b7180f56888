"""The scenario that must not succeed: NULLs and numbers that collide once normalised."""

from __future__ import annotations

import re

import phones
import proof
from curlew import Rollout
from fleet import WORKERS, Fleet
from proof import Verdict
from scenario import Scenario
from screen import Screen

# What crm.sql makes: contacts without a number, and pairs of one tenant with the same number.
NULLS = {17, 42, 77}
COLLISIONS = ({23, 63}, {45, 85})

MENDING_SLOT = 15  # Of numbers that no application draws from.
WATCH_SECONDS = 120.0


class DirtyData(Scenario):
    """It has to stop in staging, name the rows, be rolled back, and never touch production."""

    title = "the same plan meets dirty data"
    dirty = True
    agent_flags = ("--report-row-keys",)

    def __init__(self, fleet: Fleet, screen: Screen):
        super().__init__(fleet, screen)
        self._dumps: dict[str, str] = {}
        self._failures: list[Rollout] = []
        self._rolled_back = Rollout({})

    def begin_staging(self) -> None:
        self._dumps = {site.name: site.cluster.schema_dump() for site in self.sites}

    def migrate(self) -> None:
        self.screen.section("Staging: preflight finds what would fail later")
        self._failures.append(self._watch_it_fail())
        self.screen.section("Somebody mends the contacts without a number, and resumes: others collide")
        self._mend()
        self.command("rollout", "resume", self.rollout, "--reason", "every contact has a number now")
        self._failures.append(self._watch_it_fail())
        self.screen.section("Rollback")
        self.command("rollout", "rollback", self.rollout, "--reason", "the data have to be mended first")
        self._rolled_back = self.watch(lambda seen: seen.state == "ROLLED_BACK", WATCH_SECONDS)

    def prove(self) -> bool:
        self.screen.section("What became of it: queries of the demo's own, pg_dump, and the application's count")
        results = {site.name: site.drain_application("old") for site in self.sites}
        verdicts = [self._stopped(), self._named(),
                    Verdict("rollout, in the end", self._rolled_back.state,
                            self._rolled_back.state == "ROLLED_BACK")]
        for site in self.sites:
            same = site.cluster.schema_dump() == self._dumps[site.name]
            verdicts.append(Verdict(f"{site.name}: pg_dump before and after",
                                    "identical" if same else "they differ", same))
        verdicts.append(self._untouched(self.sites[-1].cluster.conninfo()))
        for site in self.sites:
            verdicts.append(proof.judge_errors(f"{site.name}: old application", results[site.name], WORKERS))
            verdicts.append(proof.judge_rows(f"{site.name}: what it wrote",
                                             proof.twins_agree(site.cluster.conninfo(), results[site.name], "phone")))
        verdicts += self.finish_observers()
        return self.print_verdicts(verdicts)

    def keep(self) -> None:
        self.fleet.keep("old-kept", ["staging", "production"])

    def _watch_it_fail(self) -> Rollout:
        seen = self.watch(lambda seen: seen.state == "FAILED", WATCH_SECONDS)
        if seen.state != "FAILED":
            raise self.failed(seen, "failed at preflight")
        return seen

    def _mend(self) -> None:
        numbers = ", ".join(f"({row}, '{phones.digits(MENDING_SLOT, row)}')" for row in sorted(NULLS))
        statement = f"UPDATE contacts SET phone = n.phone FROM (VALUES {numbers}) AS n (id, phone) " \
                    "WHERE contacts.id = n.id"
        self.screen.verbatim(f"crm=> {statement};")
        self.sites[0].cluster.psql(statement)

    def _stopped(self) -> Verdict:
        """In staging, before anything of the plan was done there, and with production not begun."""
        staging, production = self.sites
        failed = [step["key"] for seen in self._failures for step in seen.run(staging.target).get("steps", [])
                  if step.get("state") == "STEP_STATE_FAILED"]
        begun = any(seen.run(production.target).get("state") != "RUN_STATE_PENDING" for seen in self._failures)
        before_any_change = bool(failed) and all(key.startswith("preflight") for key in failed)
        return Verdict("stopped in staging", f"at {' and '.join(failed) or 'no step'}; production "
                       f"{'was begun' if begun else 'not begun'}", before_any_change and not begun)

    def _named(self) -> Verdict:
        named = {int(row) for seen in self._failures
                 for row in re.findall(r"\(id\)=\((\d+)\)", seen.describe_failure())}
        missing = NULLS - named
        right = not missing and all(pair & named for pair in COLLISIONS)
        return Verdict("rows that are to blame", f"contacts {', '.join(str(row) for row in sorted(named)) or 'none'}",
                       right, [f"NULL in {sorted(NULLS)}, collisions {[sorted(pair) for pair in COLLISIONS]}"])

    @staticmethod
    def _untouched(conninfo: str) -> Verdict:
        """No run in production's journal, no trigger or function of a run."""
        runs = proof.count(conninfo, "SELECT count(*) FROM curlew.run")
        steps = proof.count(conninfo, "SELECT count(*) FROM curlew.step")
        triggers = proof.count(conninfo, "SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
                                         "WHERE p.pronamespace = 'curlew'::regnamespace")
        return Verdict("production: Curlew's journal and triggers", f"{runs} runs, {steps} steps, {triggers} triggers",
                       runs == steps == triggers == 0)
