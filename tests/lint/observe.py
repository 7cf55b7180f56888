"""What a statement did, as the server tells: locks, file nodes, counters; and the relations that there were before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rows import stronger
from server import query

# Oid, kind, name as in the files, file node, writable column for the probes, number of bytes, an index's table.
_RELATIONS = """
SELECT c.oid::int8, c.relkind::text,
       CASE n.nspname WHEN 'public' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END
         || pg_catalog.quote_ident(c.relname),
       coalesce(pg_catalog.pg_relation_filenode(c.oid)::int8, 0),
       (SELECT pg_catalog.quote_ident(a.attname) FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
           AND a.attidentity <> 'a' ORDER BY a.attnum LIMIT 1),
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END,
       coalesce((SELECT x.indrelid FROM pg_catalog.pg_index x WHERE x.indexrelid = c.oid)::int8, 0)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
"""
# The same afterwards.
_NODES = """
SELECT c.oid::int8, c.relkind::text,
       CASE n.nspname WHEN 'public' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END
         || pg_catalog.quote_ident(c.relname),
       coalesce(pg_catalog.pg_relation_filenode(c.oid)::int8, 0), pg_catalog.pg_relation_size(c.oid)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm', 'i')
"""
_SCANNED_IN_TRANSACTION = "SELECT relid::int8, seq_tup_read FROM pg_catalog.pg_stat_xact_user_tables"
_SCANNED = """
SELECT t.relid::int8, coalesce(t.seq_tup_read, 0), coalesce(io.heap_blks_read, 0) + coalesce(io.heap_blks_hit, 0)
  FROM pg_catalog.pg_stat_user_tables t JOIN pg_catalog.pg_statio_user_tables io USING (relid)
"""

_LOCKS = "SELECT locktype, relation::int8, mode, granted FROM pg_catalog.pg_locks WHERE pid = %s"

Counters = dict[int, tuple[int, int]]  # tuples read by sequential scans, heap blocks fetched


@dataclass
class Relation:
    """A relation that existed before the statement."""

    oid: int
    kind: str  # pg_class.relkind
    name: str
    node: int
    column: str | None
    size: int
    table: int
    tuples: int = 0


@dataclass
class Before:
    """The database before the statement."""

    relations: dict[int, Relation]
    counters: Counters = field(default_factory=dict)

    def tables(self, kinds: str) -> list[Relation]:
        """Relations of some kinds, by name."""
        return sorted((r for r in self.relations.values() if r.kind in kinds), key=lambda r: r.name)


def before(connection: Any) -> Before:
    """Reads the relations, their file nodes and how many rows they hold."""
    found = Before({row[0]: Relation(*row) for row in query(connection, _RELATIONS)})
    tables = [r for r in found.tables("rm") if r.size]
    if tables:
        counts = query(connection, "SELECT " + ", ".join(f"(SELECT count(*) FROM ONLY {r.name})" for r in tables))[0]
        for relation, count in zip(tables, counts):
            relation.tuples = count
    return found


def counters(connection: Any) -> Counters:
    """The counters of all sessions that have ended."""
    return {oid: (tuples, blocks) for oid, tuples, blocks in query(connection, _SCANNED)}


def counters_in_transaction(connection: Any) -> dict[int, int]:
    """Tuples read by sequential scans of this session, not yet handed to the shared counters."""
    return dict(query(connection, _SCANNED_IN_TRANSACTION))


@dataclass
class Held:
    """Locks of a backend on relations: those it has and the one that it waits for."""

    granted: list[tuple[int, str]]
    waits_for: tuple[str, int | None, str] | None  # lock type, relation, mode

    @property
    def key(self) -> frozenset[Any]:
        """Equal where nothing has changed."""
        return frozenset([*self.granted, ("waits", self.waits_for)])


def held(connection: Any, pid: int) -> Held:
    """The locks of a backend. The connection may be one to another database."""
    rows = query(connection, _LOCKS, pid)
    waits = [(kind, relation, mode) for kind, relation, mode, granted in rows if not granted]
    return Held([(relation, mode) for kind, relation, mode, granted in rows if granted and kind == "relation"],
                waits[0] if waits else None)


def note_locks(locks: dict[str, str], known: Before, granted: list[tuple[int, str]]) -> None:
    """Adds locks on relations that existed before."""
    for oid, mode in granted:
        if oid in known.relations:
            stronger(locks, known.relations[oid].name, mode.removesuffix("Lock"))


def rewritten(connection: Any, known: Before, truncates: set[str]) -> tuple[list[str], list[str]]:
    """Tables, and indexes by name, that have a file of their own that did not exist before.

    TRUNCATE gives new files too, but copies nothing: what the statement truncates by name is not counted, nor a table
    that had rows and has an empty file, nor (where something is truncated) one that had none.
    """
    old_nodes = {r.node for r in known.relations.values()}
    old_indexes = {r.name: r for r in known.relations.values() if r.kind == "i"}
    tables: list[str] = []
    indexes: list[Relation] = []
    truncated: set[int] = set()
    for oid, kind, name, node, size in query(connection, _NODES):
        if node == 0 or node in old_nodes:
            continue
        relation = known.relations.get(oid)
        if kind == "i":
            relation = relation or old_indexes.get(name)
            if relation is not None:
                indexes.append(relation)
        elif relation is not None:
            emptied = size == 0 and (relation.tuples or truncates)
            if kind == "r" and (emptied or relation.name in truncates):
                truncated.add(oid)
            else:
                tables.append(relation.name)
    return sorted(tables), sorted({r.name for r in indexes if r.table not in truncated})


def scanned(known: Before, tuples: dict[int, int]) -> list[str]:
    """Tables of which as many tuples were read in sequence as they had."""
    return sorted(r.name for r in known.tables("rm") if r.tuples and tuples.get(r.oid, 0) >= r.tuples)


def read_block_by_block(known: Before, after: Counters) -> list[str]:
    """Tables of which as many blocks were fetched as they had: for VACUUM, ANALYZE and CLUSTER."""
    found = []
    for relation in known.tables("rm"):
        blocks = relation.size // 8192
        fetched = after.get(relation.oid, (0, 0))[1] - known.counters.get(relation.oid, (0, 0))[1]
        if blocks and fetched >= blocks:
            found.append(relation.name)
    return sorted(found)
