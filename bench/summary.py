"""From runs to medians, ratios and goals. Pure: what the benchmark writes down is all that it needs."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

FIGURES = ("seconds", "rows_per_second", "verification_seconds", "maintenance_seconds", "rollout_seconds", "wal_bytes",
           "heap_growth", "index_growth", "hot_share", "agent_memory_bytes", "p50_ms", "p99_ms", "max_ms", "stall_ms",
           "rollout_p99_ms", "rollout_max_ms", "batch_seconds")
IDLE = "idle"
BASE = "update"

Key = tuple[str, int, bool]  # Table, rows, under load.
Medians = dict[Key, dict[str, dict[str, float]]]


def medians(runs: Iterable[dict]) -> Medians:
    """Of each figure over the repetitions, by table, then by way; in the order in which they were first run."""
    values: dict[Key, dict[str, dict[str, list[float]]]] = {}
    for run in runs:
        way = values.setdefault((run["table"], run["rows"], run["load"]), {}).setdefault(run["way"], {})
        for figure in FIGURES:
            if run.get(figure) is not None:
                way.setdefault(figure, []).append(run[figure])
    return {key: {way: {figure: median(found) for figure, found in figures.items()} for way, figures in ways.items()}
            for key, ways in values.items()}


def is_curlew(way: str) -> bool:
    return way == "curlew" or way.startswith("curlew-")


def figure(found: Medians, key: Key, way: str, name: str) -> float | None:
    return found.get(key, {}).get(way, {}).get(name)


def ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def speed(found: Medians, key: Key, way: str, base_key: Key | None = None) -> float | None:
    """How many times as fast as one UPDATE, that of `base_key` where it is given."""
    return ratio(figure(found, key, way, "rows_per_second"), figure(found, base_key or key, BASE, "rows_per_second"))


def unloaded(key: Key) -> Key:
    return key[0], key[1], False


def title(key: Key) -> str:
    return f"{key[0]}, {short(key[1])} rows{', under load' if key[2] else ''}"


def short(count: int) -> str:
    """20k, 1M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= size and count % size == 0:
            return f"{count // size}{letter}"
    return str(count)


def ratios(found: Medians, writes: list[dict]) -> dict[str, float]:
    """All by name; what was not measured is left out."""
    named: dict[str, float | None] = {}
    for key, ways in found.items():
        for way, figures in ways.items():
            name = f"{title(key)}: {way}"
            if way != IDLE:
                named[f"{name} / one UPDATE"] = speed(found, key, way)
                if key[2]:
                    named[f"{name} / one UPDATE without load"] = speed(found, key, way, unloaded(key))
                    named[f"{name} p99 / idle"] = ratio(figures.get("p99_ms"), figure(found, key, IDLE, "p99_ms"))
            if is_curlew(way):
                named[f"{name} verification / backfill"] = verification_share(figures)
    for write in writes:
        named[f"{write['table']}, {short(write['rows'])} rows: {write['kind']} write with triggers / plain, CPU"] = \
            ratio(write["with_triggers"], write["plain"])
    return {name: round(value, 4) for name, value in named.items() if value is not None}


def verification_share(figures: dict[str, float]) -> float | None:
    return ratio(figures.get("verification_seconds"), figures.get("seconds"))


def goals(found: Medians) -> list[dict]:
    """What issue and release ask for. "met" is None where it was not measured. The narrow table of 1,000,000 rows
    speaks where it is there, else the largest below."""
    rows = [key[1] for key in found if key[0] == "narrow"]
    small = max((count for count in rows if count <= 1_000_000), default=0)
    large = max((count for count in rows if count >= 10 * small > 0), default=10 * small)
    plain, load, big = ("narrow", small, False), ("narrow", small, True), ("narrow", large, False)
    curlews = [way for way in found.get(plain, {}) if is_curlew(way)]

    def worst(values: Iterable[float | None]) -> float | None:
        return max((value for value in values if value is not None), default=None)

    at = f"narrow {short(small)}"
    under = f"{at}, load, default mode"
    memory = {key: worst(figure(found, key, way, "agent_memory_bytes") for way in found.get(key, {}))
              for key in (plain, big)}
    most_memory = worst(memory.values())
    table = [
        (f"{at}: speed of 2 workers / one UPDATE", ">=", 1.6, speed(found, plain, "curlew-2")),
        (f"{at}: speed of 1 worker / one UPDATE", ">=", 1.05, speed(found, plain, "curlew-1")),
        (f"{at}: time of verification / backfill, the worst", "<=", 0.2,
         worst(verification_share(found[plain][way]) for way in curlews)),
        (f"{under}: p99 / idle", "<=", 1.5,
         ratio(figure(found, load, "curlew", "p99_ms"), figure(found, load, IDLE, "p99_ms"))),
        (f"{under}: longest stall, ms", "<=", 50.0, figure(found, load, "curlew", "stall_ms")),
        (f"{under}: slowest transaction, ms", "<=", 50.0, figure(found, load, "curlew", "max_ms")),
        (f"{under}: speed / one UPDATE without load", ">=", 0.7, speed(found, load, "curlew", plain)),
        ("narrow: most memory of the agent, MB", "<=", 64.0, ratio(most_memory, 1e6)),
        (f"narrow: memory of the agent at {short(large)} / at {short(small)}", "<=", 1.1, ratio(memory[big], memory[plain])),
        (f"narrow: time per row at {short(large)} / at {short(small)}, the worst", "<=", 1.1,
         worst(ratio(figure(found, plain, way, "rows_per_second"), figure(found, big, way, "rows_per_second"))
               for way in found.get(big, {}) if is_curlew(way))),
    ]
    return [{"name": name, "goal": f"{sign} {bound:g}", "value": None if value is None else round(value, 3),
             "met": None if value is None else (value >= bound if sign == ">=" else value <= bound)}
            for name, sign, bound, value in table]
