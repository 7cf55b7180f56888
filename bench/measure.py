"""Runs the ways, each on a fresh copy of the table, and writes down what was measured."""

from __future__ import annotations

import argparse
import time
from statistics import median

from curlew_way import CurlewWay, trigger_ddl
from load import Load, during, latencies, timeline
from server import Server
from summary import IDLE, is_curlew
from tables import Table
from ways import PlainSql, Way, Work
from write_cost import write_costs

PILOT_ROWS = 100
SMALL = 200_000
# The load is on this long before a way begins and after it has ended.
SETTLE_SECONDS = 2.0


class Measure:
    """Owns nothing for longer than run()."""

    def __init__(self, curlew: CurlewWay, pgroll: Way, options: argparse.Namespace):
        self.curlew = curlew
        self.pgroll = pgroll
        self.options = options

    def known_ways(self, triggers: str) -> list[Way]:
        """All, in the order in which they are run. Without load the limits are off, except for what a user gets who
        sets nothing."""
        limits = self.options.load
        return [*PlainSql(triggers).ways(), self.pgroll, self.curlew.way(0, limits=True),
                *(self.curlew.way(workers, limits) for workers in (1, 2, 4))]

    def run(self, tables: list[Table]) -> dict:
        """The parts of the document that are measured."""
        wanted = [name for name in self.options.ways.split(",") if name]
        result = {"ways": {}, "missing": {}, "runs": [], "writes": []}
        # Batches of small tables are short.
        server = Server(logged_from_ms=1 if self.options.rows > SMALL else 0)
        try:
            server.start()
            for table in tables:
                self._run_table(server, table, wanted, result)
        finally:
            server.close()
        return result

    def _run_table(self, server: Server, table: Table, wanted: list[str], result: dict) -> None:
        rows = table.rows(self.options.rows)
        ways = self.known_ways(self._triggers(server, table))
        unknown = [name for name in wanted if name not in {way.name for way in ways}]
        if unknown:
            raise SystemExit(f"error: there is no way {unknown[0]}; --list shows them")
        ways = [way for way in ways if not wanted or way.name in wanted]
        result["missing"] |= {way.name: way.missing for way in ways if way.missing}
        ways = [way for way in ways if not way.missing]
        result["ways"] |= {way.name: way.what for way in ways}
        print(f"making {table.name}: {rows:,} rows, {table.what}", flush=True)
        server.make_template("source", table, rows)
        expected = server.expected_contents("source", with_notes=not self.options.load)
        for repeat in range(self.options.repeat):
            if self.options.load:
                self._print(self._idle(server, table, rows, repeat, result))
            for way in ways:
                run = self._one(server, way, rows)
                found = server.contents(with_notes=not self.options.load)
                if found != expected:
                    raise RuntimeError(f"{way.name} left other rows than it should: {found}, not {expected}")
                run = {"table": table.name, "rows": rows, "load": self.options.load, "way": way.name,
                       "repeat": repeat} | run
                if repeat > 0:
                    run.pop("timeline", None)
                    run.pop("timeline_batches", None)
                result["runs"].append(run)
                self._print(run)
                if not self.options.load and is_curlew(way.name) and not self._has_writes(result, table):
                    result["writes"] += [{"table": table.name, "rows": rows, "kind": kind} | costs
                                         for kind, costs in write_costs(server, rows).items()]
        server.drop("source")

    @staticmethod
    def _has_writes(result: dict, table: Table) -> bool:
        return any(write["table"] == table.name for write in result["writes"])

    def _triggers(self, server: Server, table: Table) -> str:
        """What Curlew installs on this table, read off a small one."""
        server.make_template("pilot", table, PILOT_ROWS)
        server.fresh("pilot")
        self.curlew.to_the_gate(server, workers=0, limits=True)
        ddl = trigger_ddl(server, "pilot")
        server.drop("pilot")
        return ddl

    def _one(self, server: Server, way: Way, rows: int) -> dict:
        server.fresh("source")
        before, wal = server.sizes(), server.wal_position()
        load = Load(server, rows) if self.options.load else None
        try:
            if load:
                load.start()
                time.sleep(SETTLE_SECONDS)
            work = way.run(server)
            if load:
                time.sleep(SETTLE_SECONDS)
        except BaseException:
            if load:
                load.kill()
            raise
        figures = {"seconds": work.seconds, "rows_per_second": rows / work.seconds, "batches": len(work.batches),
                   "batch_seconds": median(ended - began for began, ended in work.batches)} | work.figures
        if load:
            figures |= self._latencies(load, work)
        after = server.sizes()
        figures |= {"heap_growth": after.heap / before.heap - 1, "index_growth": after.indexes / before.indexes - 1,
                    "heap_bytes": after.heap, "index_bytes": after.indexes, "wal_bytes": server.wal_position() - wal}
        if not load:  # Its own updates would count.
            figures["hot_share"] = server.hot_share()
        return figures

    @staticmethod
    def _latencies(load: Load, work: Work) -> dict:
        done = load.stop()
        began = work.began - SETTLE_SECONDS
        figures = latencies(during(done, work.began, work.ended))
        if "rollout_began" in work.figures:
            rollout = work.figures["rollout_began"]
            whole = latencies(during(done, rollout, rollout + work.figures["rollout_seconds"]))
            figures |= {"rollout_p99_ms": whole["p99_ms"], "rollout_max_ms": whole["max_ms"]}
        return figures | {
            "load_cpu_share": load.cpu_share, "timeline": timeline(done, began, work.ended + SETTLE_SECONDS),
            "timeline_work": [work.began - began, work.ended - began],
            "timeline_batches": [[round(b - began, 3), round(e - began, 3)] for b, e in work.batches]}

    def _idle(self, server: Server, table: Table, rows: int, repeat: int, result: dict) -> dict:
        """The load alone."""
        server.fresh("source")
        load = Load(server, rows)
        try:
            load.start()
            time.sleep(SETTLE_SECONDS + self.options.idle_seconds)
        except BaseException:
            load.kill()
            raise
        done = load.stop()
        began = load.began + SETTLE_SECONDS
        run = {"table": table.name, "rows": rows, "load": True, "way": IDLE, "repeat": repeat,
               "load_cpu_share": load.cpu_share} | latencies(during(done, began, began + self.options.idle_seconds))
        result["runs"].append(run)
        return run

    def _print(self, run: dict) -> None:
        """One line for whoever watches."""
        line = f"  {run['table']} {run['repeat'] + 1}/{self.options.repeat} {run['way']:16}"
        if "seconds" in run:
            line += f" {run['seconds']:8.2f} s {run['rows_per_second']:10,.0f} rows/s"
        if "p99_ms" in run:
            line += f"  p99 {run['p99_ms']:.2f} ms, slowest {run['max_ms']:.1f} ms, load {run['load_cpu_share']:.0%}"
        print(line, flush=True)
