"""Probes: what a second session, an application, would have to wait for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2 import errors

from observe import Before
from rows import BLOCKS_WRITES_FROM, strength
from server import query

# Short: nobody but the statement under test holds locks, so who waits at all is blocked by it.
_LOCK_TIMEOUT = "25ms"

# An application's INSERT where DEFAULT VALUES would not reach the foreign keys and partitions.
_INSERTS = {
    "customers": "INSERT INTO public.customers (name, ext_nn) VALUES ('probe', -1)",
    "orders": "INSERT INTO public.orders (customer_id, amount) VALUES (1, 1)",
    "events": "INSERT INTO public.events (id, created_on, kind) VALUES (-1, '2023-06-01', 'k')",
    "payments": "INSERT INTO public.payments (id, customer_id) VALUES (1, 1)",
    "parent2": "INSERT INTO public.parent2 (id) VALUES (-1)",
    "child2": "INSERT INTO public.child2 (id, parent_id) VALUES (-1, 1)",
    "logs": "INSERT INTO public.logs (id, region) VALUES (1, 'eu')",
}


@dataclass
class Blocked:
    """What had to wait, over all times that were probed."""

    reads: bool = False
    writes: bool = False
    others: set[str] = field(default_factory=set)  # more than the locks on the very tables explain


def _waits(connection: Any, sql: str) -> bool:
    """Whether a statement runs into the lock timeout. It is always undone."""
    try:
        query(connection, f"BEGIN; SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'; {sql}; ROLLBACK")
        return False
    except errors.LockNotAvailable:
        query(connection, "ROLLBACK")
        return True
    except psycopg2.Error:  # a row that the probe may not write, a table that is gone: it did not wait
        query(connection, "ROLLBACK")
        return False


def _qualified(name: str) -> str:
    return name if "." in name.replace('"."', ".") else f"public.{name}"


def probe(connection: Any, known: Before, locks: dict[str, str], blocked: Blocked) -> None:
    """Tries SELECT, UPDATE and INSERT on every table and nextval on every sequence that existed before.

    `locks` are those that the statement holds now. The UPDATE is one that finds no row, the INSERT in orders names
    customer 1. Views and materialized views are only read.
    """

    def direct(name: str, weakest: int) -> bool:
        return name in locks and strength(locks[name]) >= weakest

    for relation in known.tables("rpmvS"):
        name, sql = relation.name, _qualified(relation.name)
        if relation.kind == "S":
            if _waits(connection, f"SELECT nextval({_literal(sql)})"):
                blocked.writes = True
                blocked.others.add(f"nextval:{name}")
            continue
        if _waits(connection, f"SELECT 1 FROM {sql} LIMIT 1"):
            blocked.reads = True
            if name in locks and not direct(name, strength("AccessExclusive")):
                blocked.others.add(f"select:{name}")
        if relation.kind not in "rp":
            continue
        explained = direct(name, BLOCKS_WRITES_FROM)
        update = f"UPDATE {sql} SET {relation.column} = {relation.column} WHERE false"
        if relation.column and _waits(connection, update):
            blocked.writes = True
            if name in locks and not explained:
                blocked.others.add(f"write:{name}")
        if _waits(connection, _INSERTS.get(name, f"INSERT INTO {sql} DEFAULT VALUES")):
            blocked.writes = True
            if name in _INSERTS and (name in locks or name == "orders") and not explained:
                blocked.others.add(f"insert:{name}")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def blocked_by_locks(known: Before, locks: dict[str, str], written: str) -> Blocked:
    """The same from the locks alone, where nothing can be probed: on tables, materialized views, indexes.

    `written` are the kinds of relations on which a lock counts as one that stops writers.
    """
    blocked = Blocked()
    relations = {r.name: r for r in known.relations.values()}
    for name, mode in locks.items():
        relation = relations[name]
        if relation.kind == "i" and "i" in written and mode == "AccessExclusive":
            # Whoever plans a query opens all the table's indexes.
            blocked.reads = True
            blocked.writes |= known.relations[relation.table].kind == "r"
        elif relation.kind in "rpm":
            blocked.reads |= mode == "AccessExclusive"
            blocked.writes |= relation.kind in written and strength(mode) >= BLOCKS_WRITES_FROM
    return blocked
