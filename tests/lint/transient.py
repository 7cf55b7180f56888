"""Locks that a statement lets go before it ends, found by obstacles.

PostgreSQL keeps nearly all locks until the transaction ends, but not those of some short looks into a relation
(SET STORAGE at the indexes, ADD COLUMN at a composite type). No query can come in between: so a second session locks
every relation that the statement is not known to lock, and where the statement then waits, and for which mode, is a
lock that it takes. That relation is left free and the statement is run again, until it waits no more.
"""

from __future__ import annotations

import time
from typing import Any, Callable

from held import HeldSession
from observe import Before, Relation, held
from rows import stronger
from server import Server, connect, query

_DEADLINE_S = 30.0


def obstacle(relation: Relation) -> str:
    """A statement that takes ACCESS EXCLUSIVE on this relation alone and changes nothing that is kept."""
    name = relation.name if "." in relation.name.replace('"."', ".") else f"public.{relation.name}"
    return {
        "r": f"LOCK TABLE ONLY {name} IN ACCESS EXCLUSIVE MODE",
        "p": f"LOCK TABLE ONLY {name} IN ACCESS EXCLUSIVE MODE",
        "v": f"ALTER VIEW {name} OWNER TO CURRENT_USER",
        "m": f"ALTER MATERIALIZED VIEW {name} OWNER TO CURRENT_USER",
        "f": f"ALTER FOREIGN TABLE {name} OWNER TO CURRENT_USER",
        "S": f"ALTER SEQUENCE {name} OWNER TO CURRENT_USER",
        "i": f"ALTER INDEX {name} SET TABLESPACE pg_default",
        "I": f"ALTER INDEX {name} SET TABLESPACE pg_default",
        "c": f"ALTER TYPE {name} OWNER TO app_owner",
    }[relation.kind]


def find(server: Server, dsn: str, known: Before, locks: dict[str, str],
         start: Callable[[HeldSession], None]) -> None:
    """Adds to `locks`. `start` prepares a session and begins the statement in it, within a transaction."""
    while True:
        free = [r for r in known.relations.values() if r.name not in locks]
        found = _first_wait(server, dsn, free, start)
        if found is None:
            return
        stronger(locks, known.relations[found[0]].name, found[1].removesuffix("Lock"))


def _first_wait(server: Server, dsn: str, free: list[Relation],
                start: Callable[[HeldSession], None]) -> tuple[int, str] | None:
    obstacles = connect(dsn)
    session = HeldSession(server, dsn)
    oids = {r.oid for r in free}
    try:
        query(obstacles, "BEGIN; SET LOCAL lock_timeout = '10s'; " + "; ".join(map(obstacle, free)))
        start(session)
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline:
            waits: Any = held(server.admin, session.pid).waits_for
            if waits is not None:
                return (waits[1], waits[2]) if waits[0] == "relation" and waits[1] in oids else None
            if session.stands_at_client():
                return None
        raise TimeoutError("the statement neither waits nor ends")
    finally:
        query(server.admin, "SELECT pg_terminate_backend(%s)", session.pid)
        obstacles.close()
        session.close()
