"""docs/benchmarks/README.md, written from the figures of a run, so that it can be refreshed and never mended by hand."""

from __future__ import annotations

import report
from summary import Medians, title
from tables import TABLES

PICTURES = {"throughput.png": "Rows a second of each way", "bloat.png": "Growth of the heap",
            "latency.png": "Latency of the load beside each way",
            "timeline.png": "Slowest transaction of the load over time"}


def markdown_table(head: list[str], body: list[list[str]], numbers: bool = True) -> list[str]:
    rule = ["---"] + ["---:" if numbers else "---"] * (len(head) - 1)
    return [f"| {' | '.join(row)} |" for row in [head, rule, *body]]


def readme(document: dict, found: Medians, pictures: list[str]) -> str:
    """The whole page."""
    machine, options = document["machine"], document["options"]
    lines = ["# Benchmark of the backfill", "",
             "Written by `./dev bench backfill --write-docs` from the figures of its last real run; not by hand.", "",
             "## Goals", "", *markdown_table(report.GOALS_HEAD, report.goal_rows(document["goals"])), "",
             "## What it ran on", ""]
    facts = [*machine.items(),
             ("load average before each part", ", ".join(f"{value:.2f}" for value in document["load_before"])),
             ("repetitions", f"{options['repeat']}, in turns; the tables have medians")]
    lines += [*markdown_table(["what", "which"], [list(fact) for fact in facts], numbers=False), "",
              "Machines are noisy, this one has few cores: look at the ratios.", ""]
    for key in found:
        lines += [f"## {title(key)[0].upper()}{title(key)[1:]}", "", TABLES[key[0]].what + ".", ""]
        lines += markdown_table(report.LOADED_HEAD, report.loaded_rows(found, key)) if key[2] else markdown_table(
            report.UNLOADED_HEAD, report.unloaded_rows(found, key))
        lines.append("")
    if document["writes"]:
        lines += ["## What the triggers cost the application", "",
                  "Processor time of the backend for one single-row UPDATE by key, in a loop on the server, at the gate "
                  "before `DROP`: of a column that is not renamed, and of the one that is.", "",
                  *markdown_table(report.WRITES_HEAD, report.write_rows(document["writes"])), ""]
    for name in pictures:
        lines += [f"![{PICTURES[name]}]({name})", ""]
    return "\n".join(lines + _explanations(document)) + "\n"


def _explanations(document: dict) -> list[str]:
    load = document["options"]["load_mix"]
    return [
        "## What each way is", "",
        *markdown_table(["way", "what"], [[f"`{way}`", what] for way, what in document["ways"].items()],
                        numbers=False), "",
        *[f"`{way}` was not measured: {why}." for way, why in document["missing"].items()], "",
        "All fill `phone_number` from `phone` with the same expression, each on a fresh copy of the same table "
        "(`CREATE DATABASE ... TEMPLATE`, then the table is read into memory, then `CHECKPOINT`). All must leave the "
        "same rows: a digest of them is compared, or the run fails.", "",
        "## How it is measured", "",
        "* Plain SQL is timed by its client. Curlew is timed by the server's log, not by itself: from the begin of its "
        "first batch to the end of its last, pauses included; the agent's role logs statements from 1 ms on, which is "
        "a line or so for each batch. `verify` is its verification in the same log, as a share of that time.",
        f"* The load is pgbench, {load}. Its latencies count from when a transaction was due. `p99` and `max` are "
        "of the transactions of the time in which the way was at work, `stall` is the longest time in which none was "
        "finished although one was due. `to UPDATE` is the speed compared with one UPDATE beside the same load, "
        "`alone` with one UPDATE without any load.",
        "* Without load, `curlew-1`, `-2`, `-4` run with all limits of the throttle off, `curlew` with nothing set at "
        "all; beside the load all run with the default limits.",
        "* `heap` and `index` are bytes on disk after, compared with before; `WAL` is all that was written meanwhile; "
        "`HOT` the share of heap-only updates; `agent` the most memory that the agent held.",
        "* PostgreSQL's autovacuum is on. A run in which it happens to begin is slower; hence medians.", "",
        "## How to run it", "", "```", "./dev bench backfill --json narrow.json",
        "./dev bench backfill --load --json load.json",
        "./dev bench backfill --tables wide,toasted,indexed,nokey,partitioned --json tables.json",
        "./dev bench backfill --rows 10000000 --ways update,curlew-1,curlew-2 --repeat 1 --json large.json",
        "./dev bench backfill --write-docs narrow.json load.json tables.json large.json", "```", "",
        "The last one runs nothing: it puts the figures together and writes this page and its pictures."]
