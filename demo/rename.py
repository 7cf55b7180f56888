"""The main scenario: contacts.phone becomes contacts.phone_number, staging first, then production."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import phones
import proof
import siblings
from curlew import Rollout
from fleet import APPROVER, EXAMPLES, WORKERS, Fleet, Site
from proof import Comparison, Verdict, WorkerResult
from scenario import Scenario
from screen import Screen

TOGETHER_SECONDS = 4.0  # How long both applications run side by side at least.
WATCH_SECONDS = 600.0
BAKE_SECONDS = 3.0  # As examples/pipelines/demo.yaml says.
ALONE_SECONDS = 2.0  # How long the new one goes on after the end.


@dataclass
class Passage:
    """A site's way through the migration, as the demo saw it. Unix times."""

    site: Site
    began: float = 0.0
    new_since: float = 0.0
    drained: float = 0.0
    ended: float = 0.0
    old: list[WorkerResult] = field(default_factory=list)
    new: list[WorkerResult] = field(default_factory=list)
    before_drop: list[Verdict] = field(default_factory=list)


class Rename(Scenario):
    """Ends with a proof that asks Curlew nothing."""

    title = "rename contacts.phone to contacts.phone_number under live applications"
    siblings = 5
    environments = EXAMPLES / "pipelines" / "demo.yaml"

    def __init__(self, fleet: Fleet, screen: Screen):
        super().__init__(fleet, screen)
        self.passages = [Passage(site) for site in self.sites]

    def begin_staging(self) -> None:
        self.passages[0].began = time.time()

    def migrate(self) -> None:
        staging, production = self.passages
        self._to_the_drop_gate(staging)
        self._drop(staging, "production/before", self._is_promotable)
        self.screen.section("Promotion to production")
        production.began = time.time()
        self._approve("production/before", "staging has run on the new column alone")
        self._to_the_drop_gate(production)
        self._drop(production, "", lambda seen: seen.state == "SUCCEEDED")

    def prove(self) -> bool:
        time.sleep(ALONE_SECONDS)
        for passage in self.passages:
            passage.new = passage.site.drain_application("new")
        verdicts = [verdict for passage in self.passages for verdict in self._verdicts(passage)]
        verdicts.append(self._same_schema())
        production = self.sites[-1]
        verdicts += [siblings.judge_order(production, BAKE_SECONDS), *siblings.judge_migrated(production)]
        self.screen.section("The final table, as psql shows it")
        self.screen.verbatim(self.sites[-1].cluster.psql("\\d contacts"), indent="")
        self.screen.section("The proof: measured by the applications and by queries of the demo's own, not by Curlew")
        self._print_latencies()
        print()
        verdicts += self.finish_observers()
        holds = self.print_verdicts(verdicts)
        self._print_times()
        return holds

    def keep(self) -> None:
        self.fleet.keep("new-kept", ["staging", "production"])

    # One site's way.

    def _to_the_drop_gate(self, passage: Passage) -> None:
        site, gate = passage.site, f"{passage.site.name}/before-drop"
        self.screen.section(f"{site.name.capitalize()}: every phase up to the gate before DROP")

        def meanwhile(seen: Rollout) -> None:
            if not passage.new_since and seen.backfill_is_verified(site.target):
                site.start_application("new")
                passage.new_since = time.time()

        seen = self.watch(lambda rollout: rollout.waits_for_gate(gate), WATCH_SECONDS, meanwhile)
        if not seen.waits_for_gate(gate) or not passage.new_since:
            raise self.failed(seen, f"arrived at the gate {gate}")
        time.sleep(max(0.0, passage.new_since + TOGETHER_SECONDS - time.time()))
        self.screen.say(f"The new application (contacts.phone_number only) was started when the backfill was "
                        f"verified and has run beside the old one for {time.time() - passage.new_since:.0f} s.")

    def _drop(self, passage: Passage, next_gate: str, reached) -> None:
        site = passage.site
        self.screen.section(f"{site.name.capitalize()}: the old application is drained, DROP is approved")
        passage.old = site.drain_application("old")
        passage.drained = time.time()
        passage.before_drop = self._verdicts_before_drop(passage)
        if not self.print_verdicts(passage.before_drop):
            raise self.failed(self.fleet.curlew.show(self.rollout), "held data that agree; DROP is not approved")
        self._approve(f"{site.name}/before-drop", "old application drained, rows compared")
        seen = self.watch(reached, WATCH_SECONDS)
        if not reached(seen):
            raise self.failed(seen, f"reached {next_gate or 'its end'}")
        passage.ended = time.time()

    def _approve(self, gate: str, reason: str) -> None:
        self.command("rollout", "approve", self.rollout, "--gate", gate, "--reason", reason, by=APPROVER)

    @staticmethod
    def _is_promotable(seen: Rollout) -> bool:
        return seen.stage_state("staging") == "DONE" and seen.waits_for_gate("production/before")

    # What is measured.

    def _verdicts_before_drop(self, passage: Passage) -> list[Verdict]:
        conninfo, name = passage.site.cluster.conninfo(), passage.site.name
        twins = proof.twins_agree(conninfo, passage.old, "phone") \
            + proof.twins_agree(conninfo, passage.old, "phone_number", phones.normalise)
        return [
            proof.judge_errors(f"{name}: old application", passage.old, WORKERS),
            proof.judge_rows(f"{name}: phone = phone_number before DROP", proof.columns_agree(conninfo)),
            proof.judge_rows(f"{name}: what it wrote before DROP", twins),
        ]

    def _verdicts(self, passage: Passage) -> list[Verdict]:
        conninfo, name = passage.site.cluster.conninfo(), passage.site.name
        twins: Comparison = proof.twins_agree(conninfo, passage.old, "phone_number", phones.normalise) \
            + proof.twins_agree(conninfo, passage.new, "phone_number")
        return [
            *passage.before_drop,
            proof.judge_errors(f"{name}: new application", passage.new, WORKERS),
            proof.judge_rows(f"{name}: form of phone_number after DROP", proof.numbers_are_normalised(conninfo)),
            proof.judge_rows(f"{name}: what both wrote after DROP", twins),
            proof.judge_left_over(f"{name}: left of the old shape", proof.left_over(conninfo)),
        ]

    def _same_schema(self) -> Verdict:
        staging, production = (site.cluster.schema_dump() for site in self.sites)
        same = staging == production
        return Verdict("staging and production: schema", "identical" if same else "they differ", same)

    def _print_latencies(self) -> None:
        rows = []
        for passage in self.passages:
            stretches = (("old", "before", passage.old, *self.baseline),
                         ("old", "during", passage.old, passage.began, passage.drained),
                         ("new", "during", passage.new, passage.began, passage.ended))
            for application, stretch, results, begin, end in stretches:
                seen = proof.latencies(results, begin, end)
                failed = proof.errors_between(results, begin, end)
                rows.append((passage.site.name, application, stretch, f"{seen.statements:,}", f"{failed}",
                             f"{seen.p50:.1f}", f"{seen.p99:.1f}", f"{seen.longest:.1f}"))
        self.screen.table(("database", "application", "migration", "statements", "errors", "p50 ms", "p99 ms",
                           "max ms"), rows, left=3)

    def _print_times(self) -> None:
        parts = ", ".join(f"{passage.site.name} {passage.ended - passage.began:.0f} s" for passage in self.passages)
        self.screen.say(f"Time taken: {parts}, the whole demo {time.time() - self.began:.0f} s.")
