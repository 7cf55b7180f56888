"""Pictures of the figures. Needs matplotlib (Debian: python3-matplotlib)."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402

from summary import IDLE, Medians, figure, is_curlew, speed, title  # noqa: E402

CURLEW, OTHER, IDLE_COLOUR = "#2a6f97", "#b0b0b0", "#7fb069"
DPI = 110


def colour(way: str) -> str:
    return IDLE_COLOUR if way == IDLE else CURLEW if is_curlew(way) else OTHER


def draw(found: Medians, runs: list[dict], folder: Path) -> list[str]:
    """Writes what there are figures for; returns the names of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = [key for key in found if not key[2]]
    loaded = [key for key in found if key[2] and IDLE in found[key]]
    names = []
    if plain:
        names += [_bars(found, plain, folder / "throughput.png", "rows/s, without load", "rows_per_second", 1e-3,
                        "thousand rows/s"),
                  _bars(found, plain, folder / "bloat.png", "growth of the heap by the backfill", "heap_growth", 100,
                        "% of the table")]
    if loaded:
        names += [_latency(found, loaded[0], folder / "latency.png"),
                  _timelines(found, loaded[0], runs, folder / "timeline.png")]
    return names


def _bars(found: Medians, keys: list, path: Path, heading: str, name: str, scale: float, unit: str) -> str:
    columns = min(3, len(keys))
    rows = -(-len(keys) // columns)
    canvas, axes = pyplot.subplots(rows, columns, figsize=(4.6 * columns, 0.6 + 3.1 * rows), squeeze=False)
    for axis in axes.flat[len(keys):]:
        axis.set_visible(False)
    for key, axis in zip(keys, axes.flat):
        ways = [way for way in found[key] if figure(found, key, way, name) is not None][::-1]
        values = [found[key][way][name] * scale for way in ways]
        bars = axis.barh(ways, values, color=[colour(way) for way in ways])
        labels = [f"{value:,.0f}" + (f"  ({speed(found, key, way):.2f}x)" if name == "rows_per_second" and
                                     speed(found, key, way) else "") for way, value in zip(ways, values)]
        axis.bar_label(bars, labels, padding=3, fontsize=7)
        axis.set_xlim(0, max([*values, 1e-9]) * 1.35)
        axis.set_title(title(key), fontsize=9)
        axis.set_xlabel(unit, fontsize=8)
        axis.tick_params(labelsize=8)
    canvas.suptitle(heading, fontsize=11)
    return _save(canvas, path)


def _latency(found: Medians, key, path: Path) -> str:
    canvas, axes = pyplot.subplots(1, 2, figsize=(10, 3.8))
    ways = list(found[key])[::-1]
    for axis, name, heading in zip(axes, ("p99_ms", "max_ms"), ("p99", "slowest transaction")):
        values = [found[key][way][name] for way in ways]
        bars = axis.barh(ways, values, color=[colour(way) for way in ways])
        axis.bar_label(bars, [f"{value:,.1f}" for value in values], padding=3, fontsize=7)
        axis.set_xscale("log")
        axis.set_xlim(min(values) / 2, max(values) * 4)
        axis.set_title(f"{heading} of the load, ms", fontsize=9)
        axis.tick_params(labelsize=8)
    axes[1].axvline(50, color="#c1121f", linewidth=0.8, linestyle="--")
    canvas.suptitle(f"latency of the load beside each way: {title(key)}", fontsize=11)
    return _save(canvas, path)


def _timelines(found: Medians, key, runs: list[dict], path: Path) -> str:
    shown = [run for run in runs if (run["table"], run["rows"], run["load"]) == key and run.get("timeline")
             and run["repeat"] == 0 and run["way"] != IDLE]
    canvas, axes = pyplot.subplots(len(shown), 1, figsize=(10, 1.1 * len(shown) + 0.8), sharex=True, sharey=True,
                                   squeeze=False)
    idle = figure(found, key, IDLE, "p99_ms")
    for run, axis in zip(shown, axes.flat):
        times, slowest = zip(*run["timeline"])
        axis.axvspan(run["timeline_work"][0], run["timeline_work"][1], color="#e8eef2")
        for at, _ in run["timeline_batches"]:
            axis.axvline(at, ymax=0.08, color="#8d99ae", linewidth=0.3)
        axis.semilogy(times, [max(value, 0.1) for value in slowest], color=colour(run["way"]), linewidth=0.9)
        axis.axhline(idle, color=IDLE_COLOUR, linewidth=0.7)
        axis.set_ylabel(run["way"], fontsize=7, rotation=0, ha="right", va="center")
        axis.tick_params(labelsize=7)
    axes[-1][0].set_xlabel("seconds (shaded: at work; ticks: its batches; green: p99 of the load alone)", fontsize=8)
    canvas.suptitle(f"slowest transaction that was due in each 100 ms, ms: {title(key)}", fontsize=11)
    return _save(canvas, path)


def _save(canvas, path: Path) -> str:
    canvas.tight_layout()
    canvas.savefig(path, dpi=DPI)
    pyplot.close(canvas)
    return path.name
