"""What must hold at the end of a round, found by queries of its own: Curlew is asked nothing about the data.

Each check returns what is wrong, in words; nothing where all is well.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

import psycopg2

from clients import IDS_FOR_EACH, Client
from server import Server

KEPT = 5

LEFT_OVER = """
SELECT 'index ' || indexrelid::regclass || ' is not valid' FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive)
UNION ALL
SELECT 'constraint ' || conname || ' of ' || conrelid::regclass || ' is NOT VALID' FROM pg_constraint WHERE NOT convalidated
UNION ALL
SELECT 'trigger ' || tgname || ' of ' || tgrelid::regclass FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
  WHERE NOT tgisinternal
UNION ALL
SELECT 'column ' || attname || ' of ' || attrelid::regclass FROM pg_attribute
  WHERE attname ~ '^curlew_' AND NOT attisdropped
UNION ALL
SELECT 'function ' || oid::regprocedure FROM pg_proc WHERE pronamespace IN ('public'::regnamespace, 'curlew'::regnamespace)
UNION ALL
SELECT 'constraint ' || conname || ' of ' || conrelid::regclass FROM pg_constraint WHERE conname ~ '^curlew_'
UNION ALL
SELECT 'relation ' || oid::regclass FROM pg_class WHERE relname ~ '^curlew_'
UNION ALL
SELECT 'session ' || application_name || ' holds an advisory lock' FROM pg_locks JOIN pg_stat_activity USING (pid)
  WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND pg_stat_activity.state LIKE 'idle%'
"""

# By the names of either end: what is compared, real and expected.
NEW_SHAPE = {"phone_number": "'+1' || w.phone", "domain": "split_part(w.email, '@', 2)"}
OLD_SHAPE = {"phone": "w.phone", "old_code": "w.old_code"}
SAME = ("owner", "serial", "email", "score", "weight", "note")

COUNTED = """
SELECT coalesce(r.id, w.id), r.hits - w.hits FROM account r FULL JOIN account_twin w USING (id) ORDER BY 1
"""


@dataclass
class Findings:
    """What was looked at, and what is wrong."""

    rows: int = 0
    events: int = 0
    wrong: list[str] = field(default_factory=list)

    def note(self, where: str, found: Iterable[str]) -> None:
        self.wrong += [f"{where}: {text}" for text in found]


def few(found: list[str], what: str) -> list[str]:
    """The first of many, and how many there are."""
    if len(found) <= KEPT:
        return found
    return [*found[:KEPT], f"... {len(found)} {what} in all"]


def rows_equal_the_twin(server: Server, database: str, migrated: bool) -> tuple[int, list[str]]:
    """Compares every column of every row but `hits` with the twin. Returns the rows looked at, too."""
    shape = NEW_SHAPE if migrated else OLD_SHAPE
    compared = {name: f"w.{name}" for name in SAME} | shape
    wrong = " || ".join(f"CASE WHEN r.{name} IS DISTINCT FROM {expected} THEN '{name} ' ELSE '' END"
                        for name, expected in compared.items())
    found = server.query(database, f"SELECT coalesce(r.id, w.id), CASE WHEN r.id IS NULL THEN 'is missing' WHEN w.id IS NULL"
                         f" THEN 'should not be there' ELSE {wrong} END FROM account r FULL JOIN account_twin w USING (id)")
    bad = [f"account {number} differs from its twin: {columns.strip()}" for number, columns in found if columns]
    return len(found), few(bad, "rows that differ")


def rows_are_counted_once(server: Server, database: str, migrated: bool, first_rows: int) -> list[str]:
    """`hits = hits + 1` has happened exactly once to each row that was there before, and of the rows that a client
    inserted to those before some moment and to none after it: it inserted them one after the other."""
    bad, last_of = [], {}
    for number, more in server.query(database, COUNTED):
        if more is None:
            continue  # rows_equal_the_twin() tells.
        if not migrated or number <= first_rows:
            if more != int(migrated):
                bad.append(f"account {number} was counted {more} times instead of {'once' if migrated else 'never'}")
            continue
        owner = number // IDS_FOR_EACH
        if more not in (0, 1) or more > last_of.get(owner, 1):
            bad.append(f"account {number}, inserted meanwhile, was counted {more} times, the one before it "
                       f"{last_of.get(owner, 1)}")
        last_of[owner] = more
    return few(bad, "rows that were counted wrongly")


def ledger_is_tallied_once(server: Server, database: str, migrated: bool) -> list[str]:
    found = server.query(database, "SELECT l.id, t.times FROM ledger l FULL JOIN tally t USING (id)"
                         " WHERE l.id IS NULL OR t.times IS DISTINCT FROM %s", (1 if migrated else None,))
    return few([f"ledger {number} was tallied {times or 'not at all'}" for number, times in found], "wrong tallies")


def attic_is_purged(server: Server, database: str, migrated: bool) -> list[str]:
    """Every third row is left, or all are, and the words of those that are left are whole."""
    found = server.query(database, "SELECT g.id, a.id IS NOT NULL FROM generate_series(1, 9000) AS g (id)"
                         " LEFT JOIN attic a ON a.id = g.id AND a.stale = (mod(g.id, 3) > 0) AND a.words = repeat('y', 40)"
                         " WHERE (a.id IS NOT NULL) <> (mod(g.id, 3) = 0 OR NOT %s)", (migrated,))
    return few([f"attic {number} is {'still there' if there else 'gone or changed'}" for number, there in found],
               "wrong rows of the attic")


def untouched_data(server: Server, database: str) -> str:
    return str(server.query(database, "SELECT md5(string_agg(u::text, '|' ORDER BY id)), count(*) FROM untouched u")[0]
               + server.query(database, "SELECT md5(string_agg(l::text, '|' ORDER BY id)), count(*) FROM ledger l")[0])


def left_over(server: Server, database: str) -> list[str]:
    try:
        return [f"left over: {what}" for what, in server.query(database, LEFT_OVER)]
    except psycopg2.Error as error:
        return [f"what is left over cannot be read: {error}"]


def same_text(what: str, found: str, expected: str) -> list[str]:
    if found == expected:
        return []
    lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", lineterm="", n=0)
    return [f"{what} differs:\n      " + "\n      ".join(list(lines)[:40])]


def journal_is_whole(server: Server, database: str, steps: list[str], migrated: bool) -> list[str]:
    """Every step of the plan stands in the journal once, done; or, after a rollback, nothing is done that is not undone."""
    rows = server.query(database, "SELECT step, direction, state FROM curlew.step")
    done = [step for step, direction, state in rows if direction == "do" and state == "succeeded"]
    undone = [step for step, direction, state in rows if direction == "undo" and state == "succeeded"]
    begun = {step for step, direction, state in rows if direction == "do" and state == "intent"}
    half = [step for step, direction, state in rows if direction == "undo" and state == "intent"]
    bad = [f"the journal has the undo of {step} as begun only" for step in half]
    for kind, names in (("done", done), ("undone", undone)):
        bad += [f"the journal has {step} as {kind} {names.count(step)} times" for step in sorted(set(names))
                if names.count(step) > 1]
    if migrated:
        bad += [f"the journal does not have {step} as done" for step in sorted(set(steps) - set(done))]
        bad += [f"the journal has {step} as undone" for step in undone]
        bad += [f"the journal has {step}, which the plan does not" for step in sorted(set(done) - set(steps))]
    bad += [f"the journal has {step} as begun only" for step in sorted(begun - set(undone))]
    return bad


def events_are_whole(events: list[dict], last: int) -> list[str]:
    """Numbered from 1 to `last`, each once, in order, as a watcher that resumed saw them."""
    numbers = [int(event.get("number", 0)) for event in events]
    if numbers == list(range(1, last + 1)):
        return []
    for position, number in enumerate(numbers):
        if number != position + 1:
            return [f"the watcher saw event {number} where {position + 1} should have come (the last is {last})"]
    return [f"the watcher saw {len(numbers)} events, the rollout has {last}"]


def steps_ended_once(events: list[dict], steps: dict[str, list[str]]) -> list[str]:
    """By the events every step of `steps` (by target, those of runs that succeeded) succeeded once, and nothing of DROP
    began before its gate had opened."""
    bad, opened = [], set()
    ended: dict[tuple[str, str], int] = {}
    for event in events:
        kind, target, step = event.get("type"), event.get("target", ""), event.get("step", "")
        if kind == "EVENT_TYPE_GATE_OPENED":
            opened |= {name for name in steps if f"{name}/before-drop" in event.get("message", "")}
        if kind == "EVENT_TYPE_STEP_STARTED" and event.get("phase") == "PHASE_DROP" and target in steps \
                and target not in opened:
            bad.append(f"{step} of {target} began before the gate had opened")
        if kind == "EVENT_TYPE_STEP_SUCCEEDED":
            ended[target, step] = ended.get((target, step), 0) + 1
    for target, names in steps.items():
        bad += [f"{step} of {target} ended well {ended.get((target, step), 0)} times by the events" for step in names
                if ended.get((target, step), 0) != 1]
    return bad


def clients_were_undisturbed(clients: list[Client], longest_seconds: float) -> list[str]:
    bad = [f"{error} ({client.error_count} errors of this client)" for client in clients for error in client.errors]
    bad += [f"{client.name} waited {client.longest_seconds:.1f} s, longer than {longest_seconds:.0f} s" for client in clients
            if client.longest_seconds > longest_seconds]
    bad += [f"{client.name} has written nothing" for client in clients if client.committed == 0]
    return bad
