"""Stops for statements that use several transactions, so that each can be looked at.

A gate is a SHARE lock on a system catalogue: who reads it passes, who writes to it waits. Each catalogue has two
sessions: while one holds the gate, the other queues behind the statement under test, so that it closes again by itself
as soon as the statement has let the catalogue go.
"""

from __future__ import annotations

import re
import select
import time
from typing import Any, Callable

from psycopg2 import extensions

from held import HeldSession
from observe import Before, Held, Relation, held
from rows import skeleton
from server import Server, connect, query
from transient import obstacle

CATALOGUES = ("pg_class", "pg_index", "pg_inherits", "pg_constraint", "pg_depend", "pg_attribute", "pg_trigger")
_DEADLINE_S = 120.0
_STUCK_S = 8.0

# Polls a backend's locks in the server, a round in well under 0.1 ms; ends early when it waits for a lock, but for the
# one at which it may stand when the watch begins.
_WATCH = """
CREATE FUNCTION pg_temp.watch(target int, rounds int) RETURNS TABLE (rel int8, lock_mode text) LANGUAGE plpgsql AS $$
DECLARE seen jsonb := '{}'; r record; waits bool; moved bool := false;
BEGIN
  FOR i IN 1..rounds LOOP
    waits := false;
    FOR r IN SELECT l.locktype, l.relation, l.mode, l.granted FROM pg_lock_status() l WHERE l.pid = target LOOP
      IF NOT r.granted THEN waits := true;
      ELSIF r.locktype = 'relation' AND NOT seen ? (r.relation || ' ' || r.mode) THEN
        seen := seen || jsonb_build_object(r.relation || ' ' || r.mode, 1);
      END IF;
    END LOOP;
    EXIT WHEN waits AND moved;
    moved := moved OR NOT waits;
  END LOOP;
  RETURN QUERY SELECT split_part(k, ' ', 1)::int8, split_part(k, ' ', 2) FROM jsonb_object_keys(seen) k;
END $$
"""


class _Asynchronous:
    """A session that is sent statements without waiting for their end."""

    def __init__(self, dsn: str) -> None:
        self._connection = connect(dsn, async_=True)
        self.wait()
        self.pid: int = self._connection.get_backend_pid()
        self._cursor = self._connection.cursor()

    def send(self, sql: str) -> None:
        """Sends a statement, once the one before has ended."""
        self.wait()
        self._cursor.execute(sql)
        while self._connection.poll() == extensions.POLL_WRITE:
            pass

    def rows(self) -> list[tuple[Any, ...]]:
        """The result of the statement."""
        self.wait()
        return list(self._cursor.fetchall())

    def wait(self) -> None:
        """Returns when the statement has ended."""
        deadline = time.monotonic() + _STUCK_S
        while time.monotonic() < deadline:
            state = self._connection.poll()
            if state == extensions.POLL_OK:
                return
            ends = ([self._connection], []) if state == extensions.POLL_READ else ([], [self._connection])
            select.select(*ends, [], 0.1)
        raise TimeoutError("an asynchronous session does not end its statement")

    def end(self) -> None:
        """Ends the session; what it still waits for is given up with it."""
        self._connection.close()


class _Gatekeeper(_Asynchronous):
    """Holds, or waits for, the SHARE lock on one catalogue."""

    def __init__(self, dsn: str, catalogue: str) -> None:
        super().__init__(dsn)
        self._sql = f"BEGIN; LOCK TABLE pg_catalog.{catalogue} IN SHARE MODE"

    def ask(self) -> None:
        """Asks for the lock and does not wait for it."""
        self.send(self._sql)

    def open_gate(self) -> None:
        """Lets the lock go."""
        self.send("COMMIT")
        self.wait()


class Gates:
    """The gates of one database."""

    def __init__(self, server: Server, dsn: str, known: Any, enabled: bool) -> None:
        self._server = server
        self._pairs: dict[int, list[_Gatekeeper]] = {}
        if not enabled:
            return
        for catalogue in CATALOGUES:
            oid = query(known, f"SELECT 'pg_catalog.{catalogue}'::regclass::oid::int8")[0][0]
            self._pairs[oid] = [_Gatekeeper(dsn, catalogue), _Gatekeeper(dsn, catalogue)]
        for pair in self._pairs.values():
            pair[0].ask()
        for pair in self._pairs.values():
            pair[0].wait()

    def stops(self, relation: int | None) -> bool:
        """Whether a wait for a lock on this relation is one of ours."""
        return relation in self._pairs

    def step(self, relation: int) -> None:
        """Lets the statement through the gate at which it stands; the gate closes behind it."""
        pair = self._pairs[relation]
        pair[1].ask()
        deadline = time.monotonic() + _STUCK_S
        while not query(self._server.admin, "SELECT 1 FROM pg_locks WHERE pid = %s AND relation = %s AND NOT granted",
                        pair[1].pid, relation):
            if time.monotonic() > deadline:
                raise TimeoutError("a gate's second session does not queue")
        pair[0].open_gate()
        pair.reverse()

    def end(self) -> None:
        """Removes all gates."""
        for pair in self._pairs.values():
            for keeper in pair:
                keeper.end()


WHOLE_DATABASE = re.compile(r"^REINDEX\s*(\([^)]*\)\s*)?(DATABASE|SYSTEM)\b(?!\s+CONCURRENTLY)")
_VACUUM_FULL = re.compile(r"^VACUUM\s*(\([^)]*\bFULL\b[^)]*\)|FULL(\s+(FREEZE|VERBOSE|ANALYZE))*)\s*;?$")


def _gates_are_safe(text: str) -> bool:
    """Not for what locks the catalogues themselves: the gatekeepers could then not move."""
    return not WHOLE_DATABASE.match(text) and not _VACUUM_FULL.match(text)


class OpenTransactions:
    """Open transactions, one for each table or index, that are in the way of a statement; it stops at each."""

    def __init__(self, dsn: str, known: Before, text: str) -> None:
        self._connections: dict[int, Any] = {}
        write = "UPDATE {0} SET {1} = {1} WHERE false"
        if re.search(r"\bCONCURRENTLY\b", text):
            self._open(dsn, known.tables("rp"), write)
            if text.startswith("REINDEX"):  # a table without indexes is but locked and left again
                indexed = {index.table for index in known.tables("i")}
                self._open(dsn, [r for r in known.tables("r") if r.oid not in indexed],
                           "LOCK TABLE ONLY {0} IN SHARE UPDATE EXCLUSIVE MODE")
        elif WHOLE_DATABASE.match(text):
            self._open(dsn, known.tables("r"), "LOCK TABLE ONLY {0} IN ROW EXCLUSIVE MODE")
            self._open(dsn, known.tables("i"))
        elif text.startswith("REINDEX"):
            self._open(dsn, known.tables("r"), write)  # so it stops before the partitions, with the parent locked
        elif text.startswith("VACUUM") and "SKIP_LOCKED" not in text:
            # Some are but locked and left again, and nothing in between can be made to wait.
            self._open(dsn, known.tables("p"), "LOCK TABLE ONLY {0} IN SHARE UPDATE EXCLUSIVE MODE")
            named = set(re.findall(r"[\w.]+", text.lower()))
            nouns = {"v": "VIEW", "f": "FOREIGN TABLE", "i": "INDEX", "I": "INDEX", "S": "SEQUENCE"}
            for kind, noun in nouns.items():
                same = [r for r in known.tables(kind) if r.name in named]
                self._open(dsn, same, f"COMMENT ON {noun} {{0}} IS NULL")
        elif text.startswith(("DO", "CALL")):
            # Short transactions of its own: no lock that a writer takes is missed.
            self._open(dsn, known.tables("rp"), "LOCK TABLE ONLY {0} IN SHARE MODE")
            self._open(dsn, known.tables("i"))
        elif text.startswith("CLUSTER"):
            self._open(dsn, known.tables("p"), "LOCK TABLE ONLY {0} IN ACCESS SHARE MODE")
            self._open(dsn, known.tables("I"))

    def _open(self, dsn: str, relations: list[Relation], sql: str | None = None) -> None:
        for relation in relations:
            if sql is None or relation.column or relation.kind not in "rp":
                connection = connect(dsn)
                self._connections[connection.get_backend_pid()] = connection
                statement = obstacle(relation) if sql is None else sql.format(relation.name, relation.column)
                query(connection, f"BEGIN; SET LOCAL lock_timeout = '10s'; {statement}")

    def end(self, pids: list[int] | None = None) -> None:
        """Commits those that are in the way, or all."""
        for pid in list(self._connections) if pids is None else pids:
            if pid in self._connections:
                self._connections.pop(pid).close()


def walk(server: Server, dsn: str, session: HeldSession, sql: str, known: Before, keep_others: bool,
         look: Callable[[Held, bool], None]) -> None:
    """Runs a statement of `session`, which has been prepared but not begun, from stop to stop until it has ended.

    `look` is called with the locks at each stop (and true), and with those seen in between (and false). `keep_others`
    leaves the open transactions there until the end, for a statement that must run into its lock timeout.
    """
    text = skeleton(sql)
    others = OpenTransactions(dsn, known, text)
    watcher = _Asynchronous(server.dsn)
    watcher.send(_WATCH)
    gates = Gates(server, dsn, session.connection, _gates_are_safe(text))
    watch = f"SELECT * FROM pg_temp.watch({session.pid}, 100)"
    awaited: list[tuple[int, str]] = []  # what it waits for it will have, unless it fails
    try:
        watcher.send(watch)
        session.begin(sql)
        deadline = time.monotonic() + _DEADLINE_S
        moved = time.monotonic()
        while True:
            look(Held(watcher.rows(), None), False)
            if session.stands_at_client():
                look(held(server.admin, session.pid), False)
                if session.drain(0.05):
                    if session.error is None:
                        look(Held(awaited, None), False)
                    return
            now = held(server.admin, session.pid)
            waits = now.waits_for
            if waits is not None:
                look(now, True)
            watcher.send(watch)
            if waits is None:
                moved = time.monotonic()
            elif waits[0] == "relation" and gates.stops(waits[1]):
                gates.step(int(waits[1] or 0))
                moved = time.monotonic()
            else:
                if waits[0] == "relation":
                    awaited.append((int(waits[1] or 0), waits[2]))
                if not keep_others:
                    blockers = query(server.admin, "SELECT pg_blocking_pids(%s)", session.pid)[0][0]
                    others.end(blockers)
                    moved = time.monotonic() if blockers else moved
            if time.monotonic() > deadline or time.monotonic() - moved > _STUCK_S:
                raise TimeoutError(f"the statement does not go on; it waits for {waits}")
    finally:
        gates.end()
        watcher.end()
        others.end()
