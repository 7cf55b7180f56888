"""The figures as tables of text, at most 100 columns wide."""

from __future__ import annotations

from summary import IDLE, Medians, figure, ratio, short, speed, title, unloaded, verification_share


def number(value: float | None, digits: int = 1, scale: float = 1.0) -> str:
    return "" if value is None else f"{value * scale:,.{digits}f}"


def table(head: list[str], body: list[list[str]]) -> list[str]:
    """Lines: the first column flush left, the others flush right."""
    rows = [head, *body]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return ["  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in
                                                     zip(row[1:], widths[1:])]).rstrip() for row in rows]


UNLOADED_HEAD = ["way", "seconds", "rows/s", "to UPDATE", "verify", "heap +%", "index +%", "WAL MB", "HOT %",
                 "agent MB"]
LOADED_HEAD = ["way", "seconds", "rows/s", "to UPDATE", "alone", "p50 ms", "p99 ms", "max ms", "stall ms", "p99/idle"]


def unloaded_rows(found: Medians, key) -> list[list[str]]:
    return [[way, number(f.get("seconds"), 2), number(f.get("rows_per_second"), 0), number(speed(found, key, way), 2),
             number(verification_share(f), 2), number(f.get("heap_growth"), 0, 100),
             number(f.get("index_growth"), 0, 100), number(f.get("wal_bytes"), 0, 1e-6),
             number(f.get("hot_share"), 0, 100), number(f.get("agent_memory_bytes"), 0, 1e-6)]
            for way, f in found[key].items()]


def loaded_rows(found: Medians, key) -> list[list[str]]:
    idle = figure(found, key, IDLE, "p99_ms")
    return [[way, *(["", "", "", ""] if way == IDLE else [
        number(f.get("seconds"), 2), number(f.get("rows_per_second"), 0), number(speed(found, key, way), 2),
        number(speed(found, key, way, unloaded(key)), 2)]),
             number(f.get("p50_ms"), 2), number(f.get("p99_ms"), 2), number(f.get("max_ms"), 1),
             number(f.get("stall_ms"), 1), number(ratio(f.get("p99_ms"), idle), 2)] for way, f in found[key].items()]


WRITES_HEAD = ["single-row UPDATE, CPU time", "plain us", "with triggers us", "ratio"]


def write_rows(writes: list[dict]) -> list[list[str]]:
    return [[f"{w['table']}, {short(w['rows'])} rows: {w['kind']}", number(w["plain"]), number(w["with_triggers"]),
             number(ratio(w["with_triggers"], w["plain"]), 2)] for w in writes]


GOALS_HEAD = ["goal", "asked", "measured", "met"]


def goal_rows(goals: list[dict]) -> list[list[str]]:
    met = {True: "yes", False: "NO", None: "not measured"}
    return [[goal["name"], goal["goal"], number(goal["value"], 2), met[goal["met"]]] for goal in goals]


def text(document: dict, found: Medians) -> str:
    """All of it, for a terminal."""
    lines = []
    for key in found:
        lines += ["", title(key)]
        lines += table(LOADED_HEAD, loaded_rows(found, key)) if key[2] else table(UNLOADED_HEAD,
                                                                                  unloaded_rows(found, key))
    if document["writes"]:
        lines += ["", *table(WRITES_HEAD, write_rows(document["writes"]))]
    lines += [""] + [f"{way}: {why}" for way, why in document["missing"].items()]
    lines += ["", *table(GOALS_HEAD, goal_rows(document["goals"]))]
    return "\n".join(lines)
