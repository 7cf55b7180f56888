"""Watches the locks of one database from a connection of its own: how long did Curlew make applications wait?

    observer.py --conninfo CONNINFO --out FILE

About a hundred times a second it looks at pg_locks. A wait counts as caused by Curlew where a backend of an
application (application_name crm-...) waits, directly or through others, for a lock that a backend of Curlew
(application_name curlew...) holds or is queued for (pg_blocking_pids knows both). PostgreSQL itself says since
when somebody waits (waitstart). A wait that is over at the next look ended somewhere in between, so each is
given as at least and at most. SIGTERM ends it: it writes FILE and disconnects.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psycopg2

INTERVAL = 0.01
KEPT_WAITS = 10

WAITERS = """
SELECT l.pid, coalesce(a.application_name, ''), l.mode || ' on ' || l.locktype,
       extract(epoch FROM l.waitstart)::float8,
       extract(epoch FROM clock_timestamp())::float8, pg_blocking_pids(l.pid), left(a.query, 200)
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE NOT l.granted AND a.datname = current_database()
"""
CURLEW = "SELECT pid, left(query, 200) FROM pg_stat_activity WHERE application_name LIKE 'curlew%'"


@dataclass
class Wait:
    """One wait of an application that Curlew caused. Times in seconds."""

    application: str
    lock: str
    began: float  # Unix time.
    at_least: float  # As long as it had lasted when it was last seen.
    at_most: float  # As long as it can have lasted.
    waiting: str  # The statement that waited.
    caused_by: str  # The statement of the backend of Curlew.


@dataclass
class Observation:
    """What an observer saw in all."""

    looks: int = 0
    longest_gap: float = 0.0  # The longest time between two looks, in seconds.
    wait_count: int = 0
    total_waiting: float = 0.0
    longest: list[Wait] = field(default_factory=list)  # The longest waits, longest first.

    def longest_wait(self) -> float:
        """The longest that an application can have waited, in seconds."""
        return max((wait.at_most for wait in self.longest), default=0.0)


def culprit(pid: int, blockers: Mapping[int, Iterable[int]], curlew: Mapping[int, str]) -> int | None:
    """The backend of Curlew that `pid` waits for, directly or through others."""
    seen: set[int] = set()
    queue = list(blockers.get(pid, ()))
    while queue:
        other = queue.pop(0)
        if other in curlew:
            return other
        if other not in seen:
            seen.add(other)
            queue.extend(blockers.get(other, ()))
    return None


class Observer:
    """Collects waits from one look to the next."""

    def __init__(self, conninfo: str):
        self._connection = psycopg2.connect(conninfo, application_name="demo-observer")
        self._connection.autocommit = True
        self._open: dict[tuple[int, float], Wait] = {}
        self._last_look: float | None = None
        self.observation = Observation()

    def look(self) -> None:
        """One look; closes the waits that are over."""
        with self._connection.cursor() as cursor:
            cursor.execute(WAITERS)
            rows = cursor.fetchall()
            curlew = {}
            if any(row[1].startswith("crm") for row in rows):
                cursor.execute(CURLEW)
                curlew = dict(cursor.fetchall())
        now = time.time()
        blockers = {row[0]: row[5] for row in rows}
        present = set()
        for pid, application, lock, began, server_now, _, query in rows:
            cause = culprit(pid, blockers, curlew) if application.startswith("crm") else None
            if cause is not None and began is not None:  # PostgreSQL fills waitstart a moment later.
                present.add((pid, began))
                wait = self._open.setdefault((pid, began), Wait(application, lock, began, 0, 0, query, curlew[cause]))
                wait.at_least = max(wait.at_least, server_now - began)
        for key in self._open.keys() - present:
            self._close(self._open.pop(key), now)
        if self._last_look is not None:
            self.observation.longest_gap = max(self.observation.longest_gap, now - self._last_look)
        self._last_look = now
        self.observation.looks += 1

    def finish(self) -> Observation:
        """Disconnects and returns what was seen."""
        for wait in self._open.values():
            self._close(wait, time.time())
        self._connection.close()
        return self.observation

    def _close(self, wait: Wait, now: float) -> None:
        wait.at_most = max(now - wait.began, wait.at_least)
        seen = self.observation
        seen.wait_count += 1
        seen.total_waiting += wait.at_most
        seen.longest = sorted([*seen.longest, wait], key=lambda w: -w.at_most)[:KEPT_WAITS]


def load(path: Path) -> Observation:
    """An observation from an observer's file."""
    values = json.loads(path.read_text())
    return Observation(**(values | {"longest": [Wait(**wait) for wait in values["longest"]]}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conninfo", required=True)
    parser.add_argument("--out", required=True, help="file of the result")
    options = parser.parse_args()
    stopped = False

    def stop(*_) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    observer = Observer(options.conninfo)
    while not stopped:
        observer.look()
        time.sleep(INTERVAL)
    partial = Path(options.out).with_suffix(".partial")
    partial.write_text(json.dumps(asdict(observer.finish())))
    os.replace(partial, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
