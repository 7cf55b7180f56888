"""Ways of filling a column: those that plain SQL offers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from server import Server
from tables import NEW_COLUMN, UP

LIMIT_BATCH = 10_000
ADD_COLUMN = f"ALTER TABLE t ADD COLUMN {NEW_COLUMN} text"
FILL = f"UPDATE t SET {NEW_COLUMN} = {UP}"


@dataclass
class Work:
    """When a way was at work, in seconds since the epoch."""

    began: float
    ended: float
    batches: list[tuple[float, float]] = field(default_factory=list)  # When each began and ended.
    # What else was measured, by name: see curlew_way.py.
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True)
class Way:
    """How a column is filled. `run` does it on the fresh copy and returns when."""

    name: str
    what: str
    run: Callable[[Server], Work]
    # Why it cannot be measured here; empty where it can.
    missing: str = ""


class PlainSql:
    """The ways that need a connection only. `triggers` is the script of curlew_way.trigger_ddl()."""

    def __init__(self, triggers: str):
        self.triggers = triggers

    def ways(self) -> list[Way]:
        return [
            Way("update", "one UPDATE, without triggers", self.one_update),
            Way("update-passing", "one UPDATE, with the triggers that Curlew installs in force, and passed by as "
                "Curlew's batches do (the marker is taken off)", self.one_update_passing_triggers),
            Way("update-triggers", "one UPDATE that changes nothing: the same triggers fire and fill each row", self.one_update_by_triggers),
            Way("limit", f"UPDATE ... WHERE id IN (SELECT id ... WHERE {NEW_COLUMN} IS NULL LIMIT {LIMIT_BATCH:,}), "
                "until nothing is left; no triggers", self.limit_batches),
            Way("keyset-1000", "WHERE id > last ORDER BY id LIMIT 1,000, a transaction each; no triggers",
                lambda server: self.key_set_batches(server, 1_000)),
            Way("keyset-10000", "WHERE id > last ORDER BY id LIMIT 10,000, a transaction each; no triggers",
                lambda server: self.key_set_batches(server, 10_000)),
        ]

    def one_update(self, server: Server) -> Work:
        return self._timed(server, ADD_COLUMN, lambda cursor, batch: batch(lambda: cursor.execute(FILL)))

    def one_update_passing_triggers(self, server: Server) -> Work:
        def fill(cursor, batch) -> None:
            cursor.execute("SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = 't'::regclass"
                           " AND attname LIKE 'curlew_pending_%'")
            marker = cursor.fetchone()[0]
            batch(lambda: cursor.execute(f"{FILL}, {marker} = false"))

        return self._timed(server, self.triggers, fill)

    def one_update_by_triggers(self, server: Server) -> Work:
        """Setting the new column by hand would not do: the triggers take it for what an application says, and write
        the old column from it."""
        return self._timed(server, self.triggers,
                           lambda cursor, batch: batch(lambda: cursor.execute("UPDATE t SET note = note")))

    def limit_batches(self, server: Server) -> Work:
        statement = f"{FILL} WHERE id IN (SELECT id FROM t WHERE {NEW_COLUMN} IS NULL LIMIT {LIMIT_BATCH})"

        def fill(cursor, batch) -> None:
            while True:
                batch(lambda: cursor.execute(statement))
                if cursor.rowcount == 0:
                    return

        return self._timed(server, ADD_COLUMN, fill)

    def key_set_batches(self, server: Server, size: int) -> Work:
        """Joining the rows to a list of keys would be slower, where the planner reads the whole table for each batch."""
        end = f"SELECT max(id) FROM (SELECT id FROM t WHERE id > %s ORDER BY id LIMIT {size}) AS batch"

        def fill(cursor, batch) -> None:
            last = 0

            def one() -> None:
                nonlocal last
                cursor.execute(end, [last])
                first, last = last, cursor.fetchone()[0]
                if last is not None:
                    cursor.execute(f"{FILL} WHERE id > %s AND id <= %s", [first, last])

            while last is not None:
                batch(one)

        return self._timed(server, ADD_COLUMN, fill)

    @staticmethod
    def _timed(server: Server, prepare: str, fill) -> Work:
        batches: list[tuple[float, float]] = []

        def batch(run: Callable[[], None]) -> None:
            began = time.time()
            run()
            batches.append((began, time.time()))

        server.cluster.psql(prepare)
        connection = server.connect()
        try:
            with connection.cursor() as cursor:
                fill(cursor, batch)
        finally:
            connection.close()
        return Work(batches[0][0], batches[-1][1], batches)
