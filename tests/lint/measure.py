#!/usr/bin/python3
"""Measures what a statement does on a real server; see README.md."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

import observe
import probes
import transient
from gates import WHOLE_DATABASE, walk
from held import HeldSession, describe
from rows import (BLOCKS_WRITES_FROM, DISPUTED, FORMS, INPUT_FIELDS, MEASURED, MEASURED_FIELDS, TRUTH, Row, load,
                  skeleton, split, strength, stronger)
from server import Server, ServerError, conninfo, connect, query

# Where a statement cannot run in a transaction block PostgreSQL says so with one of these.
_NOT_IN_TRANSACTION = ("25001", "2D000")
_BY_BLOCKS = re.compile(r"\b(VACUUM|ANALYZE|ANALYSE|CLUSTER)\b")
_LOCKS_NOTHING = re.compile(r"^PREPARE TRANSACTION\b")
_VACUUMS = re.compile(r"^VACUUM\b")
_TRUNCATES = re.compile(r"\bTRUNCATE\b([^;]*)", re.IGNORECASE)
_BEGINS = re.compile(r"^(BEGIN|START\s+TRANSACTION)\b(?!\s*ATOMIC)")
_ENDS = re.compile(r"^(COMMIT|END|ROLLBACK|ABORT)\b(?!.*\bTO\b)(?!.*\bPREPARED\b)")


@dataclass
class Result:
    """What a statement did; fields as in the README."""

    locks: dict[str, str] = field(default_factory=dict)
    blocked: probes.Blocked = field(default_factory=probes.Blocked)
    rewrites: list[str] = field(default_factory=list)
    scans: list[str] = field(default_factory=list)
    rebuilds_indexes: list[str] = field(default_factory=list)
    transactional: bool = True
    error: tuple[str, str] | None = None

    def fields(self) -> Row:
        """As a row of the files."""
        row: Row = {
            "locks": dict(sorted(self.locks.items())),
            "strongest_lock": max(self.locks.values(), key=strength, default=None),
            "blocks_reads": self.blocked.reads,
            "blocks_writes": self.blocked.writes,
            "rewrites": bool(self.rewrites),
            "scans": bool(self.scans),
            "rebuilds_indexes": sorted(self.rebuilds_indexes),
            "transactional": self.transactional,
        }
        if self.blocked.others:
            row["also_blocked"] = sorted(self.blocked.others)
        if self.error is not None:
            row["error"] = {"sqlstate": self.error[0], "message": self.error[1]}
            row["source"] = "measured (error path: locks are those acquired before the error)"
        else:
            row["source"] = "measured"
        return row


def _segments(sql: str) -> list[str]:
    """The transactions of a query string, without BEGIN and COMMIT: one, unless it has COMMIT or ROLLBACK in it."""
    statements = split(sql)
    keys = [skeleton(statement) for statement in statements]
    if not any(_BEGINS.match(key) or _ENDS.match(key) for key in keys):
        return [sql]
    segments: list[list[str]] = [[]]
    for statement, key in zip(statements, keys):
        if _ENDS.match(key):
            segments.append([])
        elif not _BEGINS.match(key):
            segments[-1].append(statement)
    return ["; ".join(segment) for segment in segments if segment]


class Measurement:
    """One row on one fresh database."""

    def __init__(self, server: Server, row: Row, dsn: str, known: observe.Before) -> None:
        self._server = server
        self._row = row
        self._dsn = dsn
        self._known = known
        self._prober = connect(dsn)
        self.result = Result()

    def _prepare(self, connection: Any) -> None:
        for statement in self._row.get("session", []):
            query(connection, statement)

    def _earlier(self, connection: Any) -> None:
        query(connection, "BEGIN")
        for statement in self._row.get("earlier_in_same_txn", []):
            query(connection, statement)

    def run(self) -> Result:
        """Measures."""
        self._known.counters = observe.counters(self._prober)
        try:
            error = self._in_transaction()
            if error is not None and error[0] in _NOT_IN_TRANSACTION:
                self.result = Result(transactional=False)
                self._known.counters = observe.counters(self._prober)
                self._by_itself()
                return self.result
            if error is not None:
                self.result = Result(error=error)
                self._until_the_error()
            kept = dict(self.result.locks)
            if _LOCKS_NOTHING.match(skeleton(self._row["sql"])) is None:
                transient.find(self._server, self._dsn, self._known, self.result.locks, self._begin_held)
            if error is not None:
                self.result.blocked = probes.blocked_by_locks(self._known, self.result.locks, "rpm")
            else:
                let_go = {name: mode for name, mode in self.result.locks.items() if name not in kept}
                self._add_blocked(probes.blocked_by_locks(self._known, let_go, "rp"))
            return self.result
        finally:
            self._prober.close()

    def _in_transaction(self) -> tuple[str, str] | None:
        """Runs the statement within BEGIN, looks, rolls back; the error where it fails."""
        connection = connect(self._dsn)
        pid = connection.get_backend_pid()
        try:
            self._prepare(connection)
            self._earlier(connection)
            segments = _segments(self._row["sql"])
            for number, segment in enumerate(segments):
                if number:
                    query(connection, "BEGIN")
                tuples = observe.counters_in_transaction(connection)
                self._execute(connection, segment)
                self._look_inside(connection, pid, tuples)
                query(connection, "ROLLBACK" if number + 1 == len(segments) else "COMMIT")
        except psycopg2.Error as failure:
            return describe(failure)
        finally:
            connection.close()
        if _BY_BLOCKS.search(skeleton(self._row["sql"])) or "EXECUTE" in self._row["sql"]:
            self._wait_for(pid)
            self._scans_by_blocks()
        return None

    def _execute(self, connection: Any, sql: str) -> None:
        if split(sql):  # psycopg2 refuses what is but a comment
            query(connection, sql)

    def _begin_held(self, session: HeldSession) -> None:
        """Begins the statement in a transaction of a session that stops at an error."""
        query(session.connection, "SET client_min_messages = error")
        self._prepare(session.connection)
        self._earlier(session.connection)
        session.begin("; ".join(_segments(self._row["sql"])))

    def _look_inside(self, connection: Any, pid: int, tuples_before: dict[int, int]) -> None:
        locks: dict[str, str] = {}
        observe.note_locks(locks, self._known, observe.held(self._server.admin, pid).granted)
        for name, mode in locks.items():
            stronger(self.result.locks, name, mode)
        writes = query(self._server.admin,
                       "SELECT 1 FROM pg_locks WHERE pid = %s AND locktype = 'transactionid'", pid)
        if locks or writes:
            probes.probe(self._prober, self._known, locks, self.result.blocked)
        if connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE:
            return  # PREPARE TRANSACTION
        query(connection, "RESET ROLE")
        tuples = observe.counters_in_transaction(connection)
        self._add_scans(observe.scanned(self._known, {oid: n - tuples_before.get(oid, 0) for oid, n in tuples.items()}))
        self._add_rewrites(connection)

    def _add_blocked(self, more: probes.Blocked) -> None:
        self.result.blocked.reads |= more.reads
        self.result.blocked.writes |= more.writes

    def _add_scans(self, names: list[str]) -> None:
        self.result.scans = sorted({*self.result.scans, *names})

    def _add_rewrites(self, connection: Any) -> None:
        truncates = {word for names in _TRUNCATES.findall(self._row["sql"]) for word in re.findall(r"[\w.]+", names)}
        tables, indexes = observe.rewritten(connection, self._known, truncates)
        self.result.rewrites = sorted({*self.result.rewrites, *tables})
        self.result.rebuilds_indexes = sorted({*self.result.rebuilds_indexes, *indexes})

    def _wait_for(self, pid: int) -> None:
        """Returns when a session has ended, and so handed in its counters."""
        deadline = time.monotonic() + 10
        while query(self._server.admin, "SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid):
            if time.monotonic() > deadline:
                raise TimeoutError("a session does not end")
            time.sleep(0.001)

    def _scans_by_blocks(self) -> None:
        self._add_scans(observe.read_block_by_block(self._known, observe.counters(self._prober)))

    def _scans_by_counters(self) -> None:
        after = observe.counters(self._prober)
        zero = (0, 0)
        self._add_scans(observe.scanned(
            self._known, {oid: n[0] - self._known.counters.get(oid, zero)[0] for oid, n in after.items()}))
        if _BY_BLOCKS.search(skeleton(self._row["sql"])):
            self._scans_by_blocks()

    def _until_the_error(self) -> None:
        """Runs the statement in a transaction again, and reads the locks that it has when the error is raised."""
        session = HeldSession(self._server, self._dsn)
        self._known.counters = observe.counters(self._prober)
        self._begin_held(session)
        deadline = time.monotonic() + 60
        while True:
            if session.stands_at_client():
                now = observe.held(self._server.admin, session.pid)
                observe.note_locks(self.result.locks, self._known, now.granted)
                if session.drain(0.05):
                    break
            if time.monotonic() > deadline:
                raise TimeoutError("the statement does not end")
            time.sleep(0.001)
        session.close()
        self._scans_by_counters()

    def _by_itself(self) -> None:
        """Runs the statement outside a transaction, from stop to stop."""
        session = HeldSession(self._server, self._dsn)
        query(session.connection, "SET client_min_messages = error")
        self._prepare(session.connection)
        probed: set[Any] = set()
        seen: dict[str, str] = {}

        def look(now: observe.Held, stands: bool) -> None:
            observe.note_locks(self.result.locks, self._known, now.granted)
            if not stands:
                observe.note_locks(seen, self._known, now.granted)
            elif now.key not in probed:
                probed.add(now.key)
                locks: dict[str, str] = {}
                observe.note_locks(locks, self._known, now.granted)
                awaited: dict[str, str] = {}
                if now.waits_for is not None and now.waits_for[0] == "relation":
                    observe.note_locks(awaited, self._known, [(now.waits_for[1] or 0, now.waits_for[2])])
                strong = any(strength(mode) >= BLOCKS_WRITES_FROM for mode in [*locks.values(), *awaited.values()])
                if strong and not WHOLE_DATABASE.match(skeleton(self._row["sql"])):
                    probes.probe(self._prober, self._known, locks, self.result.blocked)

        try:
            walk(self._server, self._dsn, session, self._row["sql"], self._known,
                 any("lock_timeout" in s for s in self._row.get("session", [])), look)
        finally:
            session.close()
        self.result.error = session.error
        if session.error is None and not re.search(r"\bCONCURRENTLY\b", skeleton(self._row["sql"])):
            self._add_blocked(probes.blocked_by_locks(self._known, seen, "rpi"))
        self._scans_by_counters()
        self._add_rewrites(self._prober)
        if _VACUUMS.match(skeleton(self._row["sql"])) and not self.result.rewrites:
            self._truncated_by_vacuum()

    def _truncated_by_vacuum(self) -> None:
        """A table that VACUUM made shorter was locked exclusively for the moment of it: too short to be seen always."""
        for relation in self._known.tables("r"):
            now = query(self._prober, "SELECT pg_relation_size(%s::oid)", relation.oid)[0][0]
            if now is not None and now < relation.size:
                self.result.locks[relation.name] = "AccessExclusive"
                self.result.blocked.reads = self.result.blocked.writes = True


_fixture: observe.Before | None = None


def _known_before(row: Row, dsn: str) -> observe.Before:
    """The relations of the row's database; for rows without setup they are read once."""
    global _fixture
    if "setup" in row or _fixture is None:
        connection = connect(dsn)
        try:
            known = observe.before(connection)
        finally:
            connection.close()
        if "setup" in row:
            return known
        _fixture = known
    return observe.Before(_fixture.relations)


def _clean_up(server: Server, row: Row, dsn: str) -> None:
    """Undoes what a row did outside its database."""
    text = skeleton(row["sql"])
    for setting in re.findall(r"\bALTER SYSTEM SET (\w+)", text):
        query(server.admin, f"ALTER SYSTEM RESET {setting}")
    connection = connect(dsn)
    for (gid,) in query(connection, "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"):
        query(connection, f"ROLLBACK PREPARED '{gid}'")
    connection.close()
    for name in re.findall(r"\bCREATE DATABASE (TMP_DB_\w+)", text):
        server.drop(name.lower())


def measure(server: Server, row: Row) -> Row:
    """Runs a row's statement on a fresh database; the measured fields."""
    with server.database(row) as dsn:
        try:
            return Measurement(server, row, dsn, _known_before(row, dsn)).run().fields()
        finally:
            _clean_up(server, row, dsn)


def differences(expected: Row, got: Row) -> list[str]:
    """Fields in which a recorded row and a measured one differ, one line each."""
    lines = []
    for name in MEASURED_FIELDS:
        if expected.get(name) != got.get(name):
            lines.append(f"  {name}: recorded {json.dumps(expected.get(name), ensure_ascii=False)}"
                         f"\n  {' ' * len(name)}  measured {json.dumps(got.get(name), ensure_ascii=False)}")
    return lines


_server: Server | None = None


def _start_worker(dsn: str) -> None:
    global _server
    _server = Server(dsn)


def _work(row: Row) -> tuple[Row, Row | None, str]:
    assert _server is not None
    try:
        return row, measure(_server, row), ""
    except Exception:  # pylint: disable=broad-except
        return row, None, traceback.format_exc()


def measure_all(dsn: str, rows: list[Row], jobs: int) -> list[tuple[Row, Row | None, str]]:
    """Measures rows in parallel; in their order: row, measured fields or None, what went wrong with the harness."""
    Server(dsn)
    with multiprocessing.Pool(jobs, _start_worker, (dsn,)) as pool:
        return list(pool.imap(_work, rows))


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--all", action="store_true", help="re-measure all rows of both files and compare")
    what.add_argument("--truth", action="store_true", help="re-measure the rows of truth.jsonl and compare")
    what.add_argument("--sample", type=int, metavar="N", help="re-measure every Nth row of both files and compare")
    what.add_argument("--forms", action="store_true", help="measure forms.jsonl into measured.jsonl")
    what.add_argument("--file", type=Path, help="measure the rows of a file and print them, or write them with --out")
    parser.add_argument("--only", metavar="REGEX", help="only rows whose id matches")
    parser.add_argument("--server", metavar="CONNINFO", help="a superuser's; default: the one of CURLEW_TEST_CLUSTER")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="print what was measured")
    parser.add_argument("--out", type=Path, help="also write the measured rows there")
    options = parser.parse_args()
    try:
        dsn = conninfo(options.server)
    except ServerError as problem:
        print(f"measure.py: {problem}", file=sys.stderr)
        return 2

    fresh = options.forms or options.file is not None
    if fresh:
        rows = load(options.file or FORMS)
    else:
        rows = load(TRUTH) + (load(MEASURED) if MEASURED.exists() and not options.truth else [])
        if options.sample:
            rows = rows[::options.sample]
    if options.only:
        rows = [row for row in rows if re.search(options.only, row["id"])]
    results = measure_all(dsn, rows, options.jobs)

    agree = broken = disputed = 0
    measured: list[Row] = []
    for row, got, problem in results:
        if got is None:
            broken += 1
            print(f"{row['id']}: not measured\n{problem}")
            continue
        measured.append({**{name: row[name] for name in INPUT_FIELDS if name in row}, **got})
        lines = [] if fresh else differences(row, got)
        agree += not lines
        if lines:
            disputed += row["id"] in DISPUTED
            remark = f" (known: {DISPUTED[row['id']]})" if row["id"] in DISPUTED else ""
            print(f"{row['id']}: {row['sql']}{remark}\n" + "\n".join(lines))
        elif options.show:
            print(json.dumps(measured[-1], ensure_ascii=False))
    target = options.out or (MEASURED if options.forms and not options.only else None)
    if target is not None:
        target.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in measured), encoding="utf-8")
    if fresh:
        print(f"measured {len(measured)} of {len(rows)} forms")
        return 1 if broken else 0
    print(f"agree {agree} of {len(rows)}; differ as README.md says {disputed}; not measured {broken}")
    return 0 if agree + disputed == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
