"""Clients that write without pause: the table that is migrated and its twin, in the same transaction, in the same way.

One of the old shape knows account.phone and account.old_code, one of the new shape account.phone_number. A transaction
that fails has written neither table, whatever the reason, and is not tried again.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass

import psycopg2

from server import Server

IDS_FOR_EACH = 10_000_000  # Rows that client n inserts have numbers from n * IDS_FOR_EACH on.
PAUSE_SECONDS = 0.01
STATEMENT_TIMEOUT = "60s"
KEPT_ERRORS = 5


@dataclass(frozen=True)
class Row:
    """A row as a client of either shape would write it, by the old names."""

    id: int
    owner: int
    serial: int
    phone: str
    email: str
    hits: int
    score: int
    weight: int
    note: str
    old_code: str


TWIN_INSERT = ("INSERT INTO account_twin (id, owner, serial, phone, email, hits, score, weight, note, old_code)"
               " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)")
INSERT = {
    "old": TWIN_INSERT.replace("account_twin", "account"),
    "new": ("INSERT INTO account (id, owner, serial, phone_number, email, domain, hits, score, weight, note)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"),
}


class Client(threading.Thread):
    """One connection. stop() ends it after the transaction that it is at."""

    def __init__(self, server: Server, database: str, shape: str, number: int, rows: int):
        super().__init__(name=f"{shape} client {number} of {server.name}", daemon=True)
        self.shape = shape
        self.number = number
        self.committed = 0
        self.excused = 0
        self.longest_seconds = 0.0
        self.errors: list[str] = []
        self.error_count = 0
        self._server = server
        self._conninfo = server.conninfo("chaos_client", f"chaos-{shape}-{number}", database)
        self._rows = rows
        self._random = random.Random(f"{shape} {number}")
        self._inserted = 0
        self._end = threading.Event()
        self._connection = None

    def stop(self) -> None:
        self._end.set()
        self.join()

    def run(self) -> None:
        while not self._end.wait(self._random.uniform(0, 2 * PAUSE_SECONDS)):
            began = time.monotonic()
            try:
                self._transaction()
                self.committed += 1
            except psycopg2.Error as error:
                self._failed(began, error)
            self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)
        if self._connection is not None:
            self._connection.close()

    def _transaction(self) -> None:
        if self._connection is None:
            self._connection = psycopg2.connect(self._conninfo, connect_timeout=20,
                                                options=f"-c statement_timeout={STATEMENT_TIMEOUT}")
        with self._connection, self._connection.cursor() as cursor:
            dice = self._random.random()
            if dice < 0.2:
                self._insert(cursor)
            elif dice < 0.25:
                self._remove(cursor)
            elif dice < 0.4:
                for number in sorted((self._some_row(), self._some_row())):
                    self._update(cursor, number)
            else:
                self._update(cursor, self._some_row())

    def _insert(self, cursor) -> None:
        self._inserted += 1
        number = self.number * IDS_FOR_EACH + self._inserted
        row = Row(number, self.number, self._inserted, self._phone(), f"q{number}@example.net",
                  self._random.randrange(1000), self._random.randrange(100), self._random.randrange(50), "inserted",
                  f"C-{number}")
        if self.shape == "old":
            cursor.execute(INSERT["old"], tuple(vars(row).values()))
        else:
            cursor.execute(INSERT["new"], (row.id, row.owner, row.serial, "+1" + row.phone, row.email,
                                           row.email.partition("@")[2], row.hits, row.score, row.weight, row.note))
        cursor.execute(TWIN_INSERT, tuple(vars(row).values()))

    def _remove(self, cursor) -> None:
        number = self._own_row()
        for table in ("account", "account_twin"):
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", (number,))

    def _update(self, cursor, number: int) -> None:
        """First the real row, then the twin: clients that meet wait for each other at the first, so both go alike."""
        dice = self._random.random()
        if dice < 0.3:
            phone = self._phone()
            if self.shape == "old":
                cursor.execute("UPDATE account SET phone = %s WHERE id = %s", (phone, number))
            else:
                cursor.execute("UPDATE account SET phone_number = %s WHERE id = %s", ("+1" + phone, number))
            cursor.execute("UPDATE account_twin SET phone = %s WHERE id = %s", (phone, number))
            return
        change = self._random.choice(("hits = hits + 5", "score = score + 1", "weight = weight + 3",
                                      "hits = hits + 2, note = note || '.'", "note = left(note, 50) || '!'"))
        for table in ("account", "account_twin"):
            cursor.execute(f"UPDATE {table} SET {change} WHERE id = %s", (number,))

    def _some_row(self) -> int:
        if self._inserted and self._random.random() < 0.2:
            return self._own_row()
        return self._random.randint(1, self._rows)

    def _own_row(self) -> int:
        return self.number * IDS_FOR_EACH + self._random.randint(1, max(1, self._inserted))

    def _phone(self) -> str:
        return f"{self._random.randrange(10 ** 10):010d}"

    def _failed(self, began: float, error: psycopg2.Error) -> None:
        # 57P01 to 57P03, 08...: the server is going down, or coming up. Nothing else is excused by that.
        lost = (isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError))
                and (error.pgcode or "08").startswith(("08", "57P0")))
        if self._connection is not None and (lost or self._connection.closed):
            self._connection.close()
            self._connection = None
        if lost and self._server.downtime.covers(began, time.monotonic()):
            self.excused += 1
            return
        self.error_count += 1
        if len(self.errors) < KEPT_ERRORS:
            self.errors.append(f"{self.name}: {error.pgcode or 'no SQLSTATE'}: {str(error).strip()}")
