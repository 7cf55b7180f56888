#!/usr/bin/python3
"""What filling a column costs: Curlew beside one UPDATE and the usual batches, in one run, each from a fresh copy.

Machines are noisy: look at the ratios. docs/benchmarks/README.md has the last real run and says what is measured how.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "peers")]

import server as servers  # noqa: E402  (puts the demo's modules on the path)
import documents  # noqa: E402
import machine  # noqa: E402
import pgroll  # noqa: E402
import report  # noqa: E402
import summary  # noqa: E402
from curlew_way import CurlewWay  # noqa: E402
from load import CLIENTS, RATE  # noqa: E402
from measure import Measure  # noqa: E402
from tables import TABLES  # noqa: E402

DOCUMENTS = servers.REPOSITORY / "docs" / "benchmarks"
LOAD_MIX = f"{RATE} transactions a second on {CLIENTS} connections: one UPDATE of another column by key, one SELECT by key"
KEYS = ("machine", "options", "load_before", "ways", "missing", "runs", "writes", "ratios", "goals")
SMOKE_WAYS = ("update", "update-passing", "update-triggers", "limit", "keyset-1000", "keyset-10000", "curlew", "curlew-2")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench backfill", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000,
                        help="rows of the narrow table (default %(default)s); wide ones have a fifth")
    parser.add_argument("--tables", default="narrow", help=f"which, by commas, of {','.join(TABLES)}; or all "
                        "(default %(default)s)")
    parser.add_argument("--ways", default="", help="which, by commas (default all: --list shows them)")
    parser.add_argument("--load", action="store_true", help=f"beside a load: {LOAD_MIX}; else without")
    parser.add_argument("--idle-seconds", type=float, default=10.0,
                        help="how long the load is measured alone (default %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="times that each is run, in turns (default %(default)s)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--plots", type=Path, help="draw pictures into this folder (needs python3-matplotlib)")
    parser.add_argument("--write-docs", nargs="+", type=Path, metavar="JSON", help="run nothing: put the figures of "
                        "these files together, and write docs/benchmarks from them")
    parser.add_argument("--smoke", action="store_true", help="small and once, and check what comes out: a test")
    parser.add_argument("--list", action="store_true", help="list tables and ways")
    parser.add_argument("--bin", type=Path, default=servers.REPOSITORY / "build" / "bin",
                        help="folder of the programs (default %(default)s)")
    return parser.parse_args()


def finish(document: dict, options: argparse.Namespace) -> None:
    """Works out and writes down what follows from the runs."""
    found = summary.medians(document["runs"])
    document["ratios"] = summary.ratios(found, document["writes"])
    document["goals"] = summary.goals(found)
    print(report.text(document, found))
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    pictures = []
    if options.plots:
        import plots  # Only here, so that nobody else needs matplotlib.
        pictures = plots.draw(found, document["runs"], options.plots)
    if options.write_docs:
        DOCUMENTS.mkdir(parents=True, exist_ok=True)
        (DOCUMENTS / "README.md").write_text(documents.readme(document, found, pictures))


def put_together(files: list[Path]) -> dict:
    """One document of several. What describes the run is the first one's; of what two files have measured alike the
    later one's counts."""
    parts = [json.loads(file.read_text()) for file in files]
    whole = dict(parts[0], load_before=[], ways={}, missing={}, runs=[], writes=[])
    for part in parts:
        def measured(run: dict) -> tuple:
            return run["table"], run["rows"], run.get("load"), run.get("way", run.get("kind"))

        for kind in ("runs", "writes"):
            new = {measured(run) for run in part[kind]}
            whole[kind] = [run for run in whole[kind] if measured(run) not in new] + part[kind]
        for kind in ("ways", "missing"):
            whole[kind] |= part[kind]
        whole["load_before"] += part["load_before"]
    return whole


def check_smoke(document: dict, ways: tuple[str, ...]) -> None:
    """Raises RuntimeError where a figure is missing. That all ways leave the same rows is checked as they run."""
    measured = {run["way"] for run in document["runs"]}
    lacks = [key for key in KEYS if key not in document] + [way for way in ways if way not in measured]
    lacks += [f"{run['way']}: {figure}" for run in document["runs"] for figure in (
        "seconds", "rows_per_second", "wal_bytes", "heap_growth", "hot_share") if run.get(figure) is None]
    lacks += [f"{run['way']}: {figure}" for run in document["runs"] if summary.is_curlew(run["way"]) for figure in (
        "verification_seconds", "agent_memory_bytes") if not run.get(figure)]
    lacks += [kind for kind in ("unrelated", "related") if kind not in {w["kind"] for w in document["writes"]}]
    if lacks:
        raise RuntimeError(f"the figures lack {', '.join(lacks)}")


def main() -> int:
    options = parse()
    if options.write_docs:
        options.plots = options.plots or DOCUMENTS
        finish(put_together(options.write_docs), options)
        return 0
    if options.smoke:
        options.ways, options.repeat = ",".join(SMOKE_WAYS), 1
    names = list(TABLES) if options.tables == "all" else options.tables.split(",")
    unknown = [name for name in names if name not in TABLES]
    if unknown:
        raise SystemExit(f"error: there is no table {unknown[0]}; there are {', '.join(TABLES)}")
    curlew = CurlewWay(options.bin)
    measure = Measure(curlew, pgroll.way(), options)
    if options.list:
        print("\n".join([*(f"{t.name:16} {t.what}" for t in TABLES.values()), "",
                         *(f"{way.name:16} {way.what}" for way in measure.known_ways(""))]))
        return 0
    document = {"machine": machine.describe(options.bin),
                "options": {"rows": options.rows, "repeat": options.repeat, "load_mix": LOAD_MIX},
                "load_before": [round(machine.load_average(), 2)]}
    print(f"load average before: {document['load_before'][0]:.2f}; {document['machine']['postgres']}, "
          f"{document['machine']['settings']}")
    began = time.monotonic()
    document |= measure.run([TABLES[name] for name in names])
    finish(document, options)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    if options.smoke:
        check_smoke(document, SMOKE_WAYS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
