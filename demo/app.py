"""An application of the CRM: several processes, each with its own connection, that read and write without pause.

The old application knows contacts.phone, the new one contacts.phone_number; both write other columns and other
tables too. Every statement is timed, every error is counted. Each worker alone owns some rows and remembers
what it last wrote there (its twin record): it checks what it reads back, and the proof compares at the end.

    app.py --application old --conninfo CONNINFO --rows N --out FOLDER

SIGTERM drains it: each worker finishes what it is at, writes FOLDER/<application>-<slot>.json, and disconnects.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import signal
import sys
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

import psycopg2

import phones

SLOTS = 16  # Rows with id % 64 < SLOTS belong to the worker with that slot; the others are everybody's.
MODULUS = 64
FIRST_ID = 128  # Rows below are left alone: the scenario `dirty-data` has its dirt there.
KEPT_ERRORS = 20


@dataclass(frozen=True)
class Application:
    """Which shape an application knows."""

    name: str
    column: str
    first_slot: int

    def write(self, ten: str, way: int) -> str:
        """The text that this application stores for a number."""
        return phones.spelt(ten, way) if self.column == "phone" else "+1" + ten


APPLICATIONS = {
    "old": Application("old", "phone", 0),
    "new": Application("new", "phone_number", 4),
    # What --keep leaves running: rows and numbers of their own, so that they go on where the others ended.
    "new-kept": Application("new-kept", "phone_number", 8),
    "old-kept": Application("old-kept", "phone", 12),
}


class Session:
    """One connection that times each statement and remembers each error. Never raises for an error of the database."""

    def __init__(self, conninfo: str):
        self._conninfo = conninfo
        self._connection = None
        self.samples: list[tuple[float, float]] = []  # (time it began, seconds it took), failed ones included.
        self.errors: list[dict] = []
        self.error_count = 0

    def execute(self, statement: str, values: tuple = ()) -> list[tuple] | None:
        """Rows of the statement (none where it returns none), or None where it failed."""
        began, start = time.time(), time.perf_counter()
        try:
            if self._connection is None:
                self._connection = psycopg2.connect(self._conninfo, options="-c statement_timeout=10s")
                self._connection.autocommit = True
            with self._connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        except psycopg2.Error as error:
            self._note(statement, error)
            return None
        finally:
            self.samples.append((began, time.perf_counter() - start))

    def transaction(self, *statements: tuple[str, tuple]) -> list[list[tuple]] | None:
        """Rows of each statement, all committed, or None where one failed and all was rolled back."""
        answers = []
        for statement, values in (("BEGIN", ()), *statements, ("COMMIT", ())):
            answer = self.execute(statement, values)
            if answer is None:
                if self._connection is not None:
                    self.execute("ROLLBACK")
                return None
            answers.append(answer)
        return answers[1:-1]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _note(self, statement: str, error: psycopg2.Error) -> None:
        self.error_count += 1
        if len(self.errors) < KEPT_ERRORS:
            self.errors.append({"time": time.time(), "sqlstate": error.pgcode, "message": str(error).strip(),
                                "statement": " ".join(statement.split())})
        if self._connection is not None and self._connection.closed:
            self._connection = None


class Worker:
    """One process of an application."""

    def __init__(self, application: Application, number: int, session: Session, rows: int):
        self._app = application
        self._slot = application.first_slot + number
        self._session = session
        self._rows = rows
        self._random = random.Random(f"{application.name} {number}")
        self._count = 0
        self._mine: dict[int, tuple[int, str]] = {}  # Rows that this worker inserted: id -> (tenant, e-mail).
        self._twin: dict[int, str] = {}  # Rows that it alone owns: id -> what it last wrote.
        self._deleted: list[int] = []
        self._wrong_reads: list[str] = []
        self._wrong_read_count = 0
        c = application.column
        self._sql = {
            "read": f"SELECT id, tenant_id, name, email, {c} FROM contacts WHERE id = %s",
            "by_email": f"SELECT id, name, {c} FROM contacts WHERE tenant_id = %s AND email = %s",
            "by_phone": f"SELECT id, name FROM contacts WHERE tenant_id = %s AND {c} = %s",
            "write": f"UPDATE contacts SET {c} = %s WHERE id = %s",
            "insert": f"INSERT INTO contacts (tenant_id, company_id, name, email, {c}) VALUES (%s, %s, %s, %s, %s) "
                      "RETURNING id",
            "upsert": f"INSERT INTO contacts (tenant_id, company_id, name, email, {c}) VALUES (%s, %s, %s, %s, %s) "
                      f"ON CONFLICT (tenant_id, email) DO UPDATE SET {c} = EXCLUDED.{c} RETURNING id",
        }
        self._work = ((30, self.read_own), (15, self.read_any), (10, self.find), (10, self.write_own),
                      (8, self.write_any), (10, self.write_unrelated), (6, self.insert), (4, self.upsert),
                      (3, self.delete_and_insert_again), (6, self.log_activity), (4, self.write_two),
                      (4, self.open_conversation))

    def run(self, stop: Event, statements_per_second: float) -> None:
        """Works at a steady pace until told to stop; a late start of one piece of work does not hurry the next."""
        weights = [weight for weight, _ in self._work]
        pieces = [piece for _, piece in self._work]
        due = time.monotonic()
        while not stop.is_set():
            self._random.choices(pieces, weights)[0]()
            due = max(due + 1 / statements_per_second, time.monotonic())
            stop.wait(max(0.0, due - time.monotonic()))
        self._session.close()

    def result(self) -> dict:
        """What the proof needs to know."""
        return {
            "application": self._app.name, "column": self._app.column, "slot": self._slot,
            "statements": len(self._session.samples), "error_count": self._session.error_count,
            "errors": self._session.errors, "wrong_read_count": self._wrong_read_count,
            "wrong_reads": self._wrong_reads, "samples": self._session.samples,
            "twin": {str(row): text for row, text in self._twin.items()}, "deleted": self._deleted,
        }

    # Pieces of work.

    def read_own(self) -> None:
        row = self._some_own_row()
        answer = self._session.execute(self._sql["read"], (row,))
        if answer is not None:
            self._check_read(row, answer[0][4] if answer else None)

    def read_any(self) -> None:
        row = self._some_shared_row()
        answer = self._session.execute(self._sql["read"], (row,))
        if answer is not None and not answer:
            self._wrong_read(f"contact {row} is not there")
        elif answer and self._app.column == "phone_number" and not re.match(phones.NORMALISED, answer[0][4] or ""):
            self._wrong_read(f"contact {row}: {self._app.column} is not normalised")

    def find(self) -> None:
        """By number in the old application, which has an index for it; by e-mail in the new one: when it starts,
        the index on the new column may not be built yet."""
        if not self._mine:
            return
        row = self._random.choice(list(self._mine))
        tenant, email = self._mine[row]
        if self._app.column == "phone":
            if row not in self._twin:
                return
            answer = self._session.execute(self._sql["by_phone"], (tenant, self._twin[row]))
        else:
            answer = self._session.execute(self._sql["by_email"], (tenant, email))
        if answer is not None and [found[0] for found in answer] != [row]:
            self._wrong_read(f"contact {row} is not found by what was written to it")

    def write_own(self) -> None:
        self._write(self._some_own_row())

    def write_any(self) -> None:
        self._session.execute(self._sql["write"], (self._next_number(), self._some_shared_row()))

    def write_unrelated(self) -> None:
        self._session.execute("UPDATE contacts SET score = (score + 7) %% 101, stage = %s, notes = %s WHERE id = %s",
                              (self._random.choice(("lead", "prospect", "customer")), f"seen by {self._app.name}",
                               self._some_shared_row()))

    def insert(self) -> None:
        tenant = self._random.randint(1, 40)
        self._count += 1
        self._insert("insert", tenant, f"{self._app.name}-{self._slot}-{self._count}@written.example")

    def upsert(self) -> None:
        """Writes a row of its own again by its e-mail, as an import would."""
        if self._mine:
            tenant, email = self._mine[self._random.choice(list(self._mine))]
            self._insert("upsert", tenant, email)

    def delete_and_insert_again(self) -> None:
        if not self._mine:
            return
        row = self._random.choice(list(self._mine))
        tenant, email = self._mine[row]
        text = self._next_number()
        answer = self._session.transaction(("DELETE FROM contacts WHERE id = %s", (row,)),
                                           (self._sql["insert"], (tenant, 1, "Written Again", email, text)))
        if answer is None:
            return
        del self._mine[row]
        self._twin.pop(row, None)
        self._deleted.append(row)
        self._mine[answer[1][0][0]] = (tenant, email)
        self._twin[answer[1][0][0]] = text

    def log_activity(self) -> None:
        row = self._some_shared_row()
        self._session.transaction(
            ("INSERT INTO activities (contact_id, kind, summary) VALUES (%s, %s, %s)", (row, "call", "called back")),
            ("UPDATE contacts SET score = least(score + 1, 100) WHERE id = %s", (row,)))

    def write_two(self) -> None:
        """Two contacts in one transaction, always in order of id, so that the applications cannot deadlock."""
        first, second = sorted((self._some_shared_row(), self._some_shared_row()))
        self._session.transaction((self._sql["write"], (self._next_number(), first)),
                                  ("UPDATE contacts SET notes = %s WHERE id = %s", ("merged", second)))

    def open_conversation(self) -> None:
        row = self._some_shared_row()
        self._session.execute("INSERT INTO conversations (tenant_id, contact_id, topic) VALUES (%s, %s, %s)",
                              (1 + row % 40, row, "renewal"))
        self._session.execute(
            f"SELECT v.id, v.topic, c.name, c.{self._app.column} FROM conversations v JOIN contacts c "
            "ON c.id = v.contact_id WHERE v.contact_id = %s AND v.state = 'open'", (row,))

    # Parts of them.

    def _insert(self, kind: str, tenant: int, email: str) -> None:
        text = self._next_number()
        answer = self._session.execute(self._sql[kind], (tenant, 1, "Written Anew", email, text))
        if answer is None:
            # Whether it was committed is not known: what was known of this e-mail's row no longer holds.
            for row in [row for row, own in self._mine.items() if own == (tenant, email)]:
                self._twin.pop(row, None)
            return
        self._mine[answer[0][0]] = (tenant, email)
        self._twin[answer[0][0]] = text

    def _write(self, row: int) -> None:
        text = self._next_number()
        if self._session.execute(self._sql["write"], (text, row)) is None:
            self._twin.pop(row, None)
        else:
            self._twin[row] = text

    def _check_read(self, row: int, read: str | None) -> None:
        wrote = self._twin.get(row)
        if wrote is not None and read != wrote:
            self._wrong_read(f"contact {row}: {self._app.column} is not what was last written to it")
        elif wrote is None and read is None:
            self._wrong_read(f"contact {row}: {self._app.column} is not there")

    def _wrong_read(self, what: str) -> None:
        self._wrong_read_count += 1
        if len(self._wrong_reads) < KEPT_ERRORS:
            self._wrong_reads.append(what)

    def _next_number(self) -> str:
        self._count += 1
        return self._app.write(phones.digits(self._slot, self._count), self._random.randrange(8))

    def _some_own_row(self) -> int:
        if self._mine and self._random.random() < 0.4:
            return self._random.choice(list(self._mine))
        return self._random_row(self._slot, self._slot)

    def _some_shared_row(self) -> int:
        return self._random_row(SLOTS, MODULUS - 1)

    def _random_row(self, low: int, high: int) -> int:
        return self._random.randrange(FIRST_ID // MODULUS, self._rows // MODULUS) * MODULUS \
            + self._random.randint(low, high)


def work(application: Application, number: int, options: argparse.Namespace, stop: Event) -> None:
    """The life of one worker's process."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    conninfo = f"{options.conninfo} application_name=crm-{application.name}"
    worker = Worker(application, number, Session(conninfo), options.rows)
    worker.run(stop, options.rate)
    path = Path(options.out) / f"{application.name}-{application.first_slot + number}.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(worker.result()))
    os.replace(partial, path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--application", choices=sorted(APPLICATIONS), required=True)
    parser.add_argument("--conninfo", required=True)
    parser.add_argument("--rows", type=int, required=True, help="contacts that were loaded")
    parser.add_argument("--out", required=True, help="folder of the results")
    parser.add_argument("--workers", type=int, default=4, help="processes, at most 4 (default %(default)s)")
    parser.add_argument("--rate", type=float, default=30, help="pieces of work a second and worker")
    options = parser.parse_args()
    stop = multiprocessing.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    workers = [multiprocessing.Process(target=work, args=(APPLICATIONS[options.application], n, options, stop))
               for n in range(options.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return 0 if all(worker.exitcode == 0 for worker in workers) else 1


if __name__ == "__main__":
    sys.exit(main())
