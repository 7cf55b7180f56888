"""The demo of Curlew: a real migration, staging then production, under live applications, with a proof.

    ./dev demo [--scenario rename|dirty-data|bad-canary|drift] [--keep] [--rows-staging N] [--rows-production N]
               [--unused-for TIME]

Everything runs in a temporary folder under /var/tmp and on free ports of 127.0.0.1. The exit status is 0 where
everything held that the scenario has to show, 1 where something did not, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

import psycopg2

from bad_canary import BadCanary
from cluster import ClusterError
from curlew import CurlewError
from dirty_data import DirtyData
from drift import Drift
from fleet import PLAN, Fleet, stop_kept
from processes import ProcessError
from rename import Rename
from scenario import Scenario, ScenarioFailed
from screen import Screen

SCENARIOS: dict[str, type[Scenario]] = {"rename": Rename, "dirty-data": DirtyData, "bad-canary": BadCanary,
                                        "drift": Drift}
DEFAULT_BIN = Path(__file__).resolve().parent.parent / "build" / "bin"
FEWEST_ROWS = 2_000


def rows(text: str) -> int:
    """A number of contacts that the applications can work on."""
    number = int(text)
    if number < FEWEST_ROWS:
        raise argparse.ArgumentTypeError(f"at least {FEWEST_ROWS}, not {number}")
    return number


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="rename",
                        help="rename: the whole way (default); dirty-data: it must stop in staging; bad-canary: it must "
                             "stop at the first database of production; drift: at production's gate")
    parser.add_argument("--keep", action="store_true", help="leave everything running and say how to look around")
    parser.add_argument("--stop", metavar="FOLDER", type=Path, help="end what --keep has left running, and no more")
    parser.add_argument("--rows-staging", type=rows, default=100_000, help="contacts (default %(default)s)")
    parser.add_argument("--rows-production", type=rows, default=1_000_000, help="contacts (default %(default)s)")
    parser.add_argument("--unused-for", metavar="TIME",
                        help="how long the old shape has to be unused before it goes, as in a plan (default 10s)")
    parser.add_argument("--bin", type=Path, default=DEFAULT_BIN, metavar="DIR",
                        help="folder of curlew, curlew-controller and curlew-agent (default build/bin)")
    return parser.parse_args(arguments)


def missing_programs(folder: Path) -> list[str]:
    return [name for name in ("curlew", "curlew-controller", "curlew-agent") if not (folder / name).is_file()]


def say_how_to_look_around(fleet: Fleet, screen: Screen) -> None:
    screen.section("Everything is still running")
    screen.table(("command", "what it does"), [
        *[(f"{fleet.root}/psql-{site.name}", f"psql on the database of {site.name}") for site in fleet.sites],
        (f"{fleet.root}/curlew rollout list", "curlew, with this controller"),
        (f"ls {fleet.root}/*.log", "logs"),
        (f"./dev demo --stop {fleet.root}", "ends all of it")], left=2)


def interrupt(*_) -> None:
    raise KeyboardInterrupt


def ignore_signals() -> None:
    """Nothing interrupts the cleaning up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def run(options: argparse.Namespace) -> int:
    """Runs a scenario and cleans up, however it ends."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    screen = Screen()
    kind = SCENARIOS[options.scenario]
    fleet = Fleet(options.bin.resolve(), options.rows_staging, options.rows_production, kind.siblings)
    kept = False
    try:
        if options.unused_for is not None:
            fleet.plan = fleet.in_a_hurry(PLAN, options.unused_for)
        scenario = kind(fleet, screen)
        print(screen.bold(f"Curlew: {scenario.title}"), flush=True)
        held = scenario.run()
        if options.keep:
            scenario.keep()
            kept = True
            say_how_to_look_around(fleet, screen)
        print(f"\n{screen.bold('Everything held.' if held else 'NOT everything held: see above.')}", flush=True)
        return 0 if held else 1
    except KeyboardInterrupt:
        print("\nInterrupted; cleaning up.", file=sys.stderr)
        return 130
    except (ClusterError, CurlewError, ProcessError, ScenarioFailed, psycopg2.Error, OSError) as error:
        print(f"\nThe demo failed: {error}\n{fleet.logs()}", file=sys.stderr)
        if options.keep:
            fleet.keep("", [])
            kept = True
            say_how_to_look_around(fleet, screen)
        return 1
    finally:
        if not kept:
            ignore_signals()
            fleet.close()


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    if options.stop is not None:
        try:
            stop_kept(options.stop)
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    missing = missing_programs(options.bin)
    if missing:
        print(f"{options.bin} has no {', '.join(missing)}: run ./dev build", file=sys.stderr)
        return 1
    return run(options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
