"""PostgreSQL clusters that are crashed on purpose, and when they were down."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field

import psycopg2

from cluster import Cluster, as_server_user, postgres_bin, run

SLACK = 1.0  # Seconds for which clients may still notice that the server was down.
UP_SECONDS = 60.0
SETTINGS = {"fsync": "off", "shared_buffers": "64MB", "dynamic_shared_memory_type": "mmap", "max_connections": "80",
            "log_timezone": "'UTC'"}


class Downtime:
    """When a server was down by a fault of the harness. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[list[float]] = []

    def begin(self) -> None:
        with self._lock:
            self._spans.append([time.monotonic(), float("inf")])

    def end(self) -> None:
        with self._lock:
            self._spans[-1][1] = time.monotonic() + SLACK

    def covers(self, began: float, ended: float) -> bool:
        """Whether it was down at some time from `began` to `ended`."""
        with self._lock:
            return any(first <= ended and began <= last for first, last in self._spans)


@dataclass(eq=False)
class Server(Cluster):
    """A cluster of the harness. One fault at a time: whoever makes one holds `fault`."""

    downtime: Downtime = field(default_factory=Downtime)
    fault: threading.Lock = field(default_factory=threading.Lock)

    def connect(self, database: str, timeout: int = 10):
        """A superuser's connection, each statement a transaction of its own."""
        connection = psycopg2.connect(self.conninfo(application_name="chaos", database=database),
                                      connect_timeout=timeout)
        connection.autocommit = True
        return connection

    def query(self, database: str, sql: str, values: tuple = ()) -> list[tuple]:
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def stop_at_once(self) -> None:
        """`pg_ctl stop -m immediate`, and up again."""
        self._down(lambda: run(self._pg_ctl("-m", "immediate", "-w", "-s", "stop"), cwd="/"))

    def kill_postmaster(self) -> None:
        """kill -9 of the postmaster, and up again as soon as its children have noticed."""
        self._down(lambda: os.kill(self.postmaster(), signal.SIGKILL))

    def kill_backend(self, pid: int) -> bool:
        """kill -9 of a backend: the postmaster ends all others and recovers. False where it had gone before."""
        probe = self.connect("postgres")
        try:
            if not self._is_backend(pid):
                return False
            self.downtime.begin()
            try:
                os.kill(pid, signal.SIGKILL)
                self._until_broken(probe)
                self._until_up()
            except ProcessLookupError:
                return False
            finally:
                self.downtime.end()
            return True
        finally:
            probe.close()

    def postmaster(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])

    def ensure_up(self) -> None:
        """Starts it where it does not run."""
        deadline = time.monotonic() + UP_SECONDS
        while True:
            done = subprocess.run(self._pg_ctl("-l", str(self.log), "-o", f"-p {self.port}", "-w", "-s", "start"),
                                  cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode == 0 or self._answers():
                return
            if time.monotonic() > deadline:  # Orphans hold on to the shared memory for a moment.
                raise RuntimeError(f"{self.name} does not start again: {done.stdout}{done.stderr}")
            time.sleep(0.1)

    def _down(self, how) -> None:
        self.downtime.begin()
        try:
            how()
            self.ensure_up()
            self._until_up()
        finally:
            self.downtime.end()

    def _pg_ctl(self, *arguments: str) -> list[str]:
        return as_server_user([str(postgres_bin() / "pg_ctl"), "-D", str(self.folder / "data"), *arguments])

    def _answers(self) -> bool:
        try:
            self.query("postgres", "SELECT 1")
            return True
        except psycopg2.Error:
            return False

    def _until_up(self) -> None:
        deadline = time.monotonic() + UP_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not answer again")
            time.sleep(0.02)

    @staticmethod
    def _until_broken(probe) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                with probe.cursor() as cursor:
                    cursor.execute("SELECT 1")
            except psycopg2.Error:
                return
            time.sleep(0.005)

    def _is_backend(self, pid: int) -> bool:
        """Whether the number is still a child of the postmaster's: it could have been given to somebody else."""
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
                return int(stat.read().rsplit(")", 1)[1].split()[1]) == self.postmaster()
        except (OSError, ValueError, IndexError):
            return False
