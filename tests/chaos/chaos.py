#!/usr/bin/python3
"""Faults in everything that a rollout needs, and an oracle that looks whether the rollout noticed. See docs/chaos.md.

    chaos.py --faults N [--seed S] [--bin FOLDER] [--keep]

Ends with one line of figures; the status is 1 where anything was wrong.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
sys.path[:0] = [str(HERE), str(REPOSITORY / "demo")]

import curlew as command_line  # noqa: E402
import points  # noqa: E402
import rounds  # noqa: E402
import sabotage  # noqa: E402
from cluster import SUPERUSER, Cluster  # noqa: E402
from faults import PACK  # noqa: E402
from proxy import Proxies  # noqa: E402
from rounds import TARGETS, TEMPLATE, Course, Lab, Outcome, Round  # noqa: E402
from server import SETTINGS, Server  # noqa: E402

import secrets  # noqa: E402

LONG_RUN = 150  # Faults from which on every point must have been reached.
CALL_SECONDS = 20.0
ROLES = """
CREATE ROLE chaos_owner NOLOGIN;
CREATE ROLE chaos_client LOGIN PASSWORD '{chaos_client}';
CREATE ROLE curlew LOGIN PASSWORD '{curlew}';
GRANT chaos_owner, pg_monitor TO curlew;
"""


class Chaos:
    """One call of the harness. Owns everything that it starts; close() ends it."""

    def __init__(self, options: argparse.Namespace):
        self._options = options
        self._began = time.monotonic()
        self._root = Path(tempfile.mkdtemp(prefix="curlew-chaos-", dir="/var/tmp"))
        self._root.chmod(0o711)
        self._points = points.scan(REPOSITORY)
        self._can_share_store = self._shares_store()
        names = [*TARGETS, *(["store"] if self._can_share_store else [])]
        users = (SUPERUSER, "chaos_client", "curlew")
        self._servers = {name: Server(name, self._root, passwords={user: secrets.token_hex(12) for user in users},
                                      settings=SETTINGS) for name in names}
        self._proxies = Proxies()
        self._counts: Counter = Counter()
        self._phases: Counter = Counter()
        self._reached: set[str] = set()
        self._outcomes: list[Outcome] = []
        self._wrong: list[str] = []
        self._enough_rounds = 0

    def run(self) -> int:
        options = self._options
        self._say(f"seed {options.seed}; everything is in {self._root}")
        with ThreadPoolExecutor(len(self._servers)) as pool:
            list(pool.map(self._start_server, self._servers.values()))
        lab = Lab(self._root, options.bin, self._servers, self._proxies, self._say, options.rows)
        self._say("an undisturbed run, to compare with")
        undisturbed = self._round(lab, Course(0), None)
        if self._wrong:
            return self._report()
        reference = undisturbed.reference
        lab.sabotage = options.sabotage
        decks = points.decks(self._points, options.seed)
        number = 0
        while not self._wrong and (self._counts.total() < options.faults or self._has_more_to_reach(number)):
            number += 1
            course = rounds.draw_course(options.seed, number, decks, self._can_share_store, self._wanted())
            self._say(f"round {number}: {course.describe()}")
            self._round(lab, course, reference)
        self._judge_points()
        return self._report()

    def close(self) -> None:
        for server in self._servers.values():
            server.stop()
        self._proxies.close()
        if self._wrong or self._options.keep:
            self._say(f"logs are kept in {self._root}")
        else:
            shutil.rmtree(self._root, ignore_errors=True)

    def _start_server(self, server: Server) -> None:
        server.create()
        server.start()
        password = server.passwords["curlew"]
        passfile = self._root / f"{server.name}-agent.pgpass"
        passfile.touch(mode=0o600)
        passfile.write_text(f"127.0.0.1:*:*:curlew:{password}\n")
        server.psql(ROLES.format(**server.passwords), database="postgres")
        if server.name in TARGETS:
            server.psql(f"CREATE DATABASE {TEMPLATE} OWNER chaos_owner", database="postgres")
            server.psql((HERE / "shop.sql").read_text(), database=TEMPLATE, variables={"rows": str(self._options.rows)})

    def _shares_store(self) -> bool:
        """Whether controllers can share a store in PostgreSQL."""
        text = subprocess.run([str(self._options.bin / "curlew-controller"), "--help"], capture_output=True, text=True,
                              check=True).stdout
        return "postgresql://" in text and "--leader-lease" in text

    def _round(self, lab: Lab, course: Course, reference) -> Outcome:
        outcome = Round(lab, course, reference).run()
        self._outcomes.append(outcome)
        self._counts += outcome.counts
        self._phases += outcome.phases
        self._reached |= outcome.points
        self._wrong += [f"round {course.number}: {text}" for text in outcome.findings.wrong]
        self._say(f"round {course.number}: {'VIOLATED' if outcome.findings.wrong else 'ok'}, {outcome.counts.total()} faults,"
                  f" {outcome.findings.rows:,} rows, {outcome.findings.events} events, {outcome.transactions:,} transactions"
                  f" ({outcome.excused} lost to a server that was down), longest {outcome.longest_client_seconds:.1f} s,"
                  f" {outcome.resumed} resumed, {outcome.seconds:.0f} s; {self._counts.total()} of {self._options.faults}")
        return outcome

    def _has_more_to_reach(self, rounds_made: int) -> bool:
        """Whether a long run goes on because of fault points that it has not met; for as many rounds again at most."""
        if self._options.faults < LONG_RUN:
            return False
        if self._enough_rounds == 0:
            self._enough_rounds = 2 * rounds_made
        return bool(self._missing()) and rounds_made < self._enough_rounds

    def _missing(self) -> list[str]:
        """Fault points that the plan should pass and did not."""
        names = {name for names in self._points.values() for name in names
                 if self._can_share_store or not name.startswith(points.NEED_SEVERAL)}
        return sorted(names - self._reached - set(points.NEED_ANOTHER_PLAN))

    def _wanted(self) -> dict[str, list[str]] | None:
        """By side, what the rounds begin with that a long run adds for their sake."""
        if self._counts.total() < self._options.faults:
            return None
        missing = self._missing()
        return {side: [name for name in missing if name in names] for side, names in self._points.items()}

    def _judge_points(self) -> None:
        missing = self._missing()
        self._say(f"fault points that were not reached: {', '.join(missing)}" if missing else "every fault point was reached")
        if self._options.faults >= LONG_RUN and not self._wrong:
            self._wrong += [f"the fault point {name} was never reached, although the plan should pass it" for name in missing]

    def _report(self) -> int:
        for text in self._wrong:
            self._say(f"VIOLATION: {text}")
        if self._wrong:
            self._say(f"to replay: ./dev chaos --faults {self._options.faults} --seed {self._options.seed}")
        self._say("faults by phase: " + ", ".join(f"{phase} {times}" for phase, times in self._phases.most_common()))
        kinds = ", ".join(f"{kind} {self._counts[kind]}" for kind in PACK if self._counts[kind])
        print(f"chaos: seed {self._options.seed}, {self._counts.total()} faults ({kinds}), {len(self._outcomes) - 1} rounds, "
              f"{len(self._reached)} fault points, {sum(o.findings.rows for o in self._outcomes):,} rows checked, "
              f"{sum(o.findings.events for o in self._outcomes):,} events checked, "
              f"{sum(o.transactions for o in self._outcomes):,} client transactions, "
              f"violations {len(self._wrong)}, {time.monotonic() - self._began:.0f} s", flush=True)
        return 1 if self._wrong else 0

    def _say(self, text: str) -> None:
        print(f"[{time.monotonic() - self._began:5.0f} s] {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=200, help="how many to make at least (default 200)")
    parser.add_argument("--seed", type=int, default=None, help="what is chosen; default: drawn")
    parser.add_argument("--rows", type=int, default=rounds.ROWS, help=f"rows of the table (default {rounds.ROWS})")
    parser.add_argument("--bin", type=Path, default=REPOSITORY / "build" / "bin", help="folder of the programs")
    parser.add_argument("--keep", action="store_true", help="leave all logs")
    parser.add_argument("--sabotage", default="", choices=sorted(sabotage.AT_THE_GATE | sabotage.AT_THE_END), help="break something by hand in each round: the "
                        "oracle must find it, and the status is 1")
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    if options.seed is None:
        options.seed = random.randrange(1_000_000)
    command_line.CALL_SECONDS = CALL_SECONDS
    chaos = Chaos(options)
    try:
        return chaos.run()
    finally:
        chaos.close()


if __name__ == "__main__":
    sys.exit(main())
