"""What the scenarios of the demo share."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path

import proof
from curlew import Rollout
from fleet import ENVIRONMENTS, OPERATOR, PLAN, REPOSITORY, SIBLING_ROWS, Fleet, Site
from proof import Verdict
from screen import Screen

BASELINE_SECONDS = 5.0
WARM_UP_SECONDS = 1.0


class ScenarioFailed(RuntimeError):
    """The rollout did not go the way it should; the message says where it stands."""


class Scenario:
    """Databases, applications and control plane come up; what follows is the subclass's."""

    title: str
    dirty = False
    agent_flags: tuple[str, ...] = ()
    siblings = 0  # Databases that production has beside the one with applications.
    environments = ENVIRONMENTS

    def __init__(self, fleet: Fleet, screen: Screen):
        self.fleet = fleet
        self.screen = screen
        self.began = time.time()
        self.baseline = (0.0, 0.0)  # Begin and end, Unix time.
        self.rollout = "demo"
        self._shown_events = 0

    def run(self) -> bool:
        """Whether everything held that the scenario has to show."""
        self.start_databases()
        self.start_control_plane()
        self.start_applications()
        self.submit_and_start()
        self.migrate()
        return self.prove()

    def migrate(self) -> None:
        raise NotImplementedError

    def prove(self) -> bool:
        raise NotImplementedError

    def keep(self) -> None:
        """Starts what --keep leaves running."""
        raise NotImplementedError

    def start_databases(self) -> None:
        self.screen.section("Two private PostgreSQL clusters with a CRM in each")
        begin = time.time()
        self.fleet.start_databases(self.dirty)
        for site in self.fleet.sites:
            size = site.cluster.psql("\\pset tuples_only\n\\pset format unaligned\n"
                                     "SELECT pg_size_pretty(pg_database_size(current_database()))").split("\n")[-2]
            site.start_observer()
            more = f"; {len(site.siblings)} databases of {SIBLING_ROWS:,} beside it" if site.siblings else ""
            self.screen.say(f"{site.name}: 127.0.0.1:{site.cluster.port}, {site.rows:,} contacts, {size}{more}")
        self.screen.say(f"Loaded in {time.time() - begin:.0f} s. An observer looks at the locks of each, "
                        "a hundred times a second.")

    def start_control_plane(self) -> None:
        self.screen.section("A controller and two agents")
        self.fleet.start_control_plane(*self.agent_flags, environments=self.pipeline())
        self.command("env", "list")
        self.command("target", "list")

    def pipeline(self) -> Path:
        """The environments file."""
        return self.environments

    def application_sites(self) -> list[Site]:
        """Where the old application runs."""
        return self.sites

    def start_applications(self) -> None:
        sites = self.application_sites()
        if not sites:
            return
        where = " and ".join(site.name for site in sites)
        self.screen.section(f"The old application reads and writes contacts.phone on {where}")
        for site in sites:
            site.start_application("old")
        time.sleep(WARM_UP_SECONDS)
        begin = time.time()
        time.sleep(BASELINE_SECONDS)
        self.baseline = (begin, time.time())
        self.fleet.check()
        self.screen.say(f"{BASELINE_SECONDS:.0f} s without a migration are the baseline of its latencies.")

    def submit_and_start(self) -> None:
        self.screen.section("The plan is submitted and its rollout started")
        plan = self.fleet.plan
        self.command("plan", "submit", str(plan.relative_to(REPOSITORY) if plan == PLAN else plan))
        self.begin_staging()
        self.command("rollout", "start", PLAN.stem, "--id", self.rollout)

    def begin_staging(self) -> None:
        """Called just before the rollout begins to work in staging."""

    def watch(self, reached: Callable[[Rollout], bool], seconds: float,
              meanwhile: Callable[[Rollout], None] = lambda _: None) -> Rollout:
        """Watches the rollout on, from where it was watched before, until `reached` holds or it has ended."""

        def look(seen: Rollout) -> None:
            self.fleet.check()
            meanwhile(seen)

        seen = self.fleet.curlew.watch_until(self.rollout, reached, seconds, look, self._shown_events)
        self._shown_events = seen.last_event
        return seen

    def command(self, *arguments: str, by: str = OPERATOR) -> None:
        """Runs `curlew` for all to see."""
        self.screen.verbatim(f"{by}$ {shlex.join(('curlew', *arguments))}")
        self.screen.verbatim(self.fleet.people[by].run(*arguments))

    def failed(self, seen: Rollout, expected: str) -> ScenarioFailed:
        return ScenarioFailed(f"{self.rollout} is {seen.state} where it should have {expected}\n"
                              f"{seen.describe_failure()}")

    def finish_observers(self) -> list[Verdict]:
        """Ends the observers, prints what they saw, and judges it."""
        seen = [(site.name, site.finish_observer()) for site in self.sites]
        self.screen.table(
            ("database", "waits that Curlew caused", "longest ms", "all ms", "looks", "longest gap ms"),
            [(name, f"{o.wait_count:,}", f"{o.longest_wait() * 1000:.0f}", f"{o.total_waiting * 1000:,.0f}",
              f"{o.looks:,}", f"{o.longest_gap * 1000:.0f}") for name, o in seen])
        print()
        return [proof.judge_locks(f"{name}: longest lock wait caused", observation) for name, observation in seen]

    def print_verdicts(self, verdicts: list[Verdict]) -> bool:
        """The table that the exit status follows from."""
        for verdict in verdicts:
            self.screen.verdict(verdict.holds, verdict.what, verdict.measured)
            if not verdict.holds:
                for detail in verdict.details:
                    self.screen.verbatim(detail, indent=" " * 11)
        return all(verdict.holds for verdict in verdicts)

    @property
    def sites(self) -> list[Site]:
        return self.fleet.sites
