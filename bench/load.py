"""A light OLTP load at a fixed rate beside what is measured: pgbench, which takes the latencies itself.

A transaction's latency counts from the moment at which it was due, so that a stall is charged to every transaction
that it delays (no coordinated omission).
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from cluster import DATABASE, postgres_bin
from server import Server

RATE = 400  # Transactions a second.
CLIENTS = 4
APPLICATION = "bench-load"
SCRIPT = """\\set id random(1, {rows})
\\set other random(1, {rows})
UPDATE t SET note = 'load' WHERE id = :id;
SELECT phone FROM t WHERE id = :other;
"""
BUCKET_SECONDS = 0.1
END_SECONDS = 60.0


@dataclass(frozen=True)
class Transaction:
    """Seconds since the epoch."""

    due: float
    ended: float


class Load:
    """Runs from start() to stop()."""

    def __init__(self, server: Server, rows: int):
        self.server = server
        self.folder = server.root / "load"
        self.folder.mkdir(exist_ok=True)
        for path in self.folder.iterdir():
            path.unlink()
        (self.folder / "load.sql").write_text(SCRIPT.format(rows=rows))
        self.process: subprocess.Popen | None = None
        self.cpu_share = 0.0  # Of one core, pgbench and its backends together; known after stop().
        self.began = 0.0

    def start(self) -> None:
        command = [str(postgres_bin() / "pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "1", "-R",
                   str(RATE), "-T", "1000000", "--log", f"--log-prefix={self.folder}/log", "-f",
                   str(self.folder / "load.sql"), "-h", "127.0.0.1", "-p", str(self.server.cluster.port), "-U",
                   "crm_app", DATABASE]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment |= {"PGPASSFILE": str(self.server.cluster.pgpass("crm_app")), "PGAPPNAME": APPLICATION}
        with open(self.folder / "output", "wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            env=environment)
        self.began = time.time()

    def stop(self) -> list[Transaction]:
        """Ends it, and returns its transactions in the order of their ends. Its sessions are ended rather than the
        program, which then writes down all that it has."""
        backends = self._backends()
        used = sum(cpu_seconds(pid) for pid in [self.process.pid, *backends])
        self.cpu_share = used / (time.time() - self.began)
        if self.process.poll() is not None or len(backends) < CLIENTS:
            raise RuntimeError("the load ended by itself:\n" + (self.folder / "output").read_text())
        self.server.query(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                          f" WHERE application_name = '{APPLICATION}'")
        self.process.wait(END_SECONDS)
        found = []
        for path in self.folder.glob("log.*"):
            for line in path.read_text().splitlines():
                fields = line.split()
                if fields[2] in ("skipped", "failed"):
                    continue
                ended = int(fields[4]) + int(fields[5]) / 1e6
                found.append(Transaction(ended - int(fields[2]) / 1e6, ended))
        return sorted(found, key=lambda transaction: transaction.ended)

    def kill(self) -> None:
        """Ends it, however it stands."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _backends(self) -> list[int]:
        return [row[0] for row in self.server.query(
            f"SELECT pid FROM pg_stat_activity WHERE application_name = '{APPLICATION}'")]


def cpu_seconds(pid: int) -> float:
    """Seconds for which a process of one thread has had a processor."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def during(transactions: list[Transaction], began: float, ended: float) -> list[Transaction]:
    """Those of which any part lies between."""
    return [t for t in transactions if t.ended >= began and t.due <= ended]


def percentile(ascending: list[float], share: float) -> float:
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]


def latencies(transactions: list[Transaction]) -> dict[str, float]:
    """Milliseconds: of the median transaction, of the slowest hundredth, of the slowest of all; and the longest time
    in which none was finished although one was due. Raises RuntimeError where there are none."""
    if not transactions:
        raise RuntimeError("the load did nothing while it was measured")
    ascending = sorted((t.ended - t.due) * 1000 for t in transactions)
    return {"p50_ms": percentile(ascending, 0.5), "p99_ms": percentile(ascending, 0.99), "max_ms": ascending[-1],
            "stall_ms": longest_stall(transactions) * 1000, "transactions": len(ascending)}


def longest_stall(transactions: list[Transaction]) -> float:
    """Seconds; `transactions` in the order of their ends."""
    longest, due = 0.0, float("inf")
    ends = [float("-inf"), *(t.ended for t in transactions)]
    for i in range(len(transactions) - 1, -1, -1):
        due = min(due, transactions[i].due)  # The first of those that are not finished before this one.
        longest = max(longest, transactions[i].ended - max(ends[i], due))
    return longest


def timeline(transactions: list[Transaction], began: float, ended: float) -> list[list[float]]:
    """[seconds after `began`, ms of the slowest transaction that was due then], a pair for each BUCKET_SECONDS."""
    count = max(0, int((ended - began) / BUCKET_SECONDS))
    slowest = [0.0] * count
    for transaction in transactions:
        bucket = int((transaction.due - began) // BUCKET_SECONDS)
        if 0 <= bucket < count:
            slowest[bucket] = max(slowest[bucket], (transaction.ended - transaction.due) * 1000)
    return [[round(i * BUCKET_SECONDS, 3), round(value, 3)] for i, value in enumerate(slowest)]
