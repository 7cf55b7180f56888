"""The proof: what the applications measured, and what independent queries find in the databases.

Nothing here asks Curlew anything. The old column is compared with the new one by phones.normalise, row by row;
the rows that a worker alone owns are compared with what it last wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2

import phones
from observer import Observation

LOCK_WAIT_LIMIT = 1.0  # Seconds.
KEPT_EXAMPLES = 5


@dataclass
class WorkerResult:
    """What one worker of an application wrote when it was drained."""

    application: str
    column: str
    slot: int
    statements: int
    error_count: int
    errors: list[dict]
    wrong_read_count: int
    wrong_reads: list[str]
    samples: list[tuple[float, float]]
    twin: dict[str, str]
    deleted: list[int]


def load_results(folder: Path, application: str) -> list[WorkerResult]:
    """The results of all workers of an application."""
    found = sorted(folder.glob(f"{application}-[0-9]*.json"))
    return [WorkerResult(**json.loads(path.read_text())) for path in found]


@dataclass
class Latencies:
    """Of the statements of a stretch of time. Milliseconds."""

    statements: int
    p50: float
    p99: float
    longest: float


def latencies(results: Iterable[WorkerResult], begin: float, end: float) -> Latencies:
    """Of the statements that began in [begin, end)."""
    taken = sorted(took for result in results for began, took in result.samples if begin <= began < end)
    if not taken:
        return Latencies(0, 0.0, 0.0, 0.0)

    def percentile(share: float) -> float:
        return taken[min(len(taken) - 1, int(share * len(taken)))] * 1000

    return Latencies(len(taken), percentile(0.50), percentile(0.99), taken[-1] * 1000)


@dataclass
class Comparison:
    """Rows that were looked at and those that were wrong. Examples name keys, never values."""

    rows: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        self.wrong += 1
        if len(self.examples) < KEPT_EXAMPLES:
            self.examples.append(what)

    def __add__(self, other: Comparison) -> Comparison:
        return Comparison(self.rows + other.rows, self.wrong + other.wrong,
                          (self.examples + other.examples)[:KEPT_EXAMPLES])


@contextmanager
def snapshot(conninfo: str) -> Iterator[psycopg2.extensions.connection]:
    """A connection that sees one state of the database and is closed in the end, whatever happens."""
    connection = psycopg2.connect(conninfo, application_name="demo-proof")
    try:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        yield connection
    finally:
        connection.close()


def scan(connection: psycopg2.extensions.connection, query: str) -> Iterator[tuple]:
    """All rows of a query, by a cursor on the server."""
    with connection.cursor(name="proof") as cursor:
        cursor.itersize = 20_000
        cursor.execute(query)
        yield from cursor


def columns_agree(conninfo: str) -> Comparison:
    """Before DROP: every row's new column against its old one, in one snapshot."""
    seen = Comparison()
    with snapshot(conninfo) as connection:
        for row, phone, phone_number in scan(connection, "SELECT id, phone, phone_number FROM contacts"):
            seen.rows += 1
            if phone is None or phone_number != phones.normalise(phone):
                seen.note(f"contacts (id)=({row})")
    return seen


def numbers_are_normalised(conninfo: str) -> Comparison:
    """After DROP: every row's new column against the form that the plan promises."""
    right = re.compile(phones.NORMALISED).match
    seen = Comparison()
    with snapshot(conninfo) as connection:
        for row, phone_number in scan(connection, "SELECT id, phone_number FROM contacts"):
            seen.rows += 1
            if phone_number is None or not right(phone_number):
                seen.note(f"contacts (id)=({row})")
    return seen


def twins_agree(conninfo: str, results: Iterable[WorkerResult], column: str,
                expected: Callable[[str], str] = lambda wrote: wrote) -> Comparison:
    """What workers last wrote to rows of their own against what stands in `column` now."""
    seen = Comparison()
    with snapshot(conninfo) as connection, connection.cursor() as cursor:
        for result in results:
            keys = [int(row) for row in result.twin]
            cursor.execute(f"SELECT id, {column} FROM contacts WHERE id = ANY (%s)", (keys + result.deleted,))
            stored = dict(cursor.fetchall())
            seen.rows += len(keys) + len(result.deleted)
            for row, wrote in result.twin.items():
                if stored.get(int(row)) != expected(wrote):
                    seen.note(f"contacts (id)=({row}), written by {result.application}-{result.slot}")
            for row in result.deleted:
                if row in stored:
                    seen.note(f"contacts (id)=({row}), deleted by {result.application}-{result.slot}")
    return seen


LEFT_OVER = """
SELECT format('column %I', attname) FROM pg_attribute
WHERE attrelid = 'contacts'::regclass AND attname = 'phone' AND NOT attisdropped
UNION ALL
SELECT format('trigger %I on %s', t.tgname, t.tgrelid::regclass) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE p.pronamespace = to_regnamespace('curlew')
UNION ALL
SELECT format('invalid %s', indexrelid::regclass) FROM pg_index WHERE NOT indisvalid
UNION ALL
SELECT format('constraint %I that is not validated', conname) FROM pg_constraint WHERE NOT convalidated
"""


def left_over(conninfo: str) -> list[str]:
    """What should be gone after DROP and is not, in words."""
    with snapshot(conninfo) as connection, connection.cursor() as cursor:
        cursor.execute(LEFT_OVER)
        return [row[0] for row in cursor.fetchall()]


@dataclass
class Verdict:
    """One thing that the exit status depends on."""

    what: str
    measured: str
    holds: bool
    details: list[str] = field(default_factory=list)


def judge_errors(name: str, results: list[WorkerResult], expected_workers: int) -> Verdict:
    """No statement failed and no read was wrong, and every worker has reported."""
    statements = sum(result.statements for result in results)
    errors = sum(result.error_count for result in results)
    wrong = sum(result.wrong_read_count for result in results)
    missing = expected_workers - len(results)
    details = [f"{error['sqlstate']}: {error['message']} [{error['statement']}]"
               for result in results for error in result.errors]
    details += [what for result in results for what in result.wrong_reads]
    if missing:
        details.append(f"{missing} workers ended without a report")
    measured = f"{statements:,} statements, {errors} errors, {wrong} wrong reads"
    return Verdict(name, measured, errors == 0 and wrong == 0 and missing == 0 and statements > 0,
                   details[:KEPT_EXAMPLES])


def judge_rows(name: str, seen: Comparison) -> Verdict:
    """No row was wrong, and there were rows."""
    return Verdict(name, f"{seen.rows:,} rows, {seen.wrong} disagree", seen.wrong == 0 and seen.rows > 0,
                   seen.examples)


def judge_left_over(name: str, found: list[str]) -> Verdict:
    """Nothing was left."""
    return Verdict(name, "nothing" if not found else f"{len(found)} things", not found, found)


def judge_locks(name: str, observation: Observation) -> Verdict:
    """No application waited longer for Curlew than the limit, and the observer was never blind for that long."""
    longest = observation.longest_wait()
    measured = f"{longest * 1000:.0f} ms, the limit is {LOCK_WAIT_LIMIT * 1000:,.0f} ms"
    details = []
    if longest > LOCK_WAIT_LIMIT:
        wait = observation.longest[0]
        details = [f"{wait.application} waited {wait.at_least * 1000:.0f} to {wait.at_most * 1000:.0f} ms "
                   f"({wait.lock}) for: {wait.caused_by}"]
    if observation.longest_gap > LOCK_WAIT_LIMIT:
        details.append("the observer itself stood still for longer than the limit: nothing is proved")
    return Verdict(name, measured, not details and observation.looks > 0, details)


def errors_between(results: Iterable[WorkerResult], begin: float, end: float) -> int:
    """Errors noted in [begin, end), as far as workers kept them."""
    return sum(begin <= error["time"] < end for result in results for error in result.errors)


def count(conninfo: str, query: str) -> int:
    """The one number that a query returns."""
    with snapshot(conninfo) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]
