"""What the triggers cost the application's own writes: processor time of the backend for each single-row UPDATE."""

from __future__ import annotations

from statistics import median

from load import cpu_seconds
from server import TREE, Server

ROUNDS = 3
MOST_WRITES = 20_000
ASSIGNMENTS = {"unrelated": "note = 'n' || i", "related": "phone = '(555) 9' || i"}
TRIGGERS = f"pg_trigger WHERE tgrelid IN ({TREE}) AND NOT tgisinternal AND tgparentid = 0"


def write_costs(server: Server, rows: int) -> dict[str, dict[str, float]]:
    """Microseconds by kind of write, "plain" and "with_triggers": medians of rounds that take turns on the same
    table. The database stands at the gate before DROP: its rows are filled, the triggers are in force; they are in
    force again afterwards. A trigger that is only disabled would still have each row locked first, so for the plain
    writes they are dropped."""
    server.cluster.psql("VACUUM (ANALYZE) t")
    triggers = server.query(f"SELECT tgname, pg_get_triggerdef(oid) FROM {TRIGGERS}")
    count = min(MOST_WRITES, rows // (ROUNDS * len(ASSIGNMENTS) * 2))
    costs: dict[str, dict[str, list[float]]] = {kind: {"plain": [], "with_triggers": []} for kind in ASSIGNMENTS}
    first = 1
    for _ in range(ROUNDS):
        for state in ("with_triggers", "plain"):
            if state == "plain":
                server.query(";".join(f'DROP TRIGGER "{name}" ON t' for name, _ in triggers))
            for kind, assignment in ASSIGNMENTS.items():
                costs[kind][state].append(_one(server, assignment, first, count))
                first += count
        server.query(";".join(definition for _, definition in triggers))
    return {kind: {state: median(values) for state, values in states.items()} for kind, states in costs.items()}


def _one(server: Server, assignment: str, first: int, count: int) -> float:
    """Microseconds of the processor for one single-row UPDATE, in a loop on the server."""
    loop = "DO $$ BEGIN FOR i IN {}..{} LOOP UPDATE t SET " + assignment + " WHERE id = i; END LOOP; END $$"
    connection = server.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute(loop.format(1, 10))  # Catalogue and plans are in the session's caches then.
            before = cpu_seconds(connection.get_backend_pid())
            cursor.execute(loop.format(first, first + count - 1))
            return (cpu_seconds(connection.get_backend_pid()) - before) / count * 1e6
    finally:
        connection.close()
