"""Rows of truth.jsonl, measured.jsonl and forms.jsonl: statement forms and what PostgreSQL does with them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Iterator

FOLDER = Path(__file__).resolve().parent
FIXTURE = FOLDER / "fixture.sql"
TRUTH = FOLDER / "truth.jsonl"
FORMS = FOLDER / "forms.jsonl"
MEASURED = FOLDER / "measured.jsonl"

Row = dict[str, Any]

# PostgreSQL's table-level modes, weakest first, named as in the files (without "Lock").
MODES = ("AccessShare", "RowShare", "RowExclusive", "ShareUpdateExclusive", "Share", "ShareRowExclusive", "Exclusive",
         "AccessExclusive")
# The weakest mode that conflicts with ROW EXCLUSIVE, the mode of INSERT, UPDATE and DELETE.
BLOCKS_WRITES_FROM = MODES.index("Share")

# Rows of truth.jsonl on which a real server says otherwise, or which depend on its settings; README.md has the proofs.
DISPUTED = {
    "partition.detach_concurrently": "its second transaction holds ACCESS EXCLUSIVE on the partition: a SELECT waits",
    "parse.prepare_transaction": "an error only where max_prepared_transactions is 0",
}

# Rows on which the linter differs, by why: what no catalogue tells, and what it does not follow.
_DIFFERENCES = {
    "the rows of the tables decide": (
        "check.add_violated", "check.validate_violated", "add_column.inline_check_violated",
        "alter_type.text_to_int_using_bad", "alter_type.check_becomes_invalid",
        "partition.attach_wrong_rows", "partition.detach_referenced_violated",
        "partition.create_partition_of_default_conflict", "domain.add_constraint_violated", "domain.validate_violated",
        "parse.type_char_one", "parse.do_if_else", "dml.delete_referenced_customer_free"),
    "row locks: the probe of the measurement meets the very row": (
        "dml.update_key_where_probed", "dml.select_for_update_where_probed"),
    "an error only where all of it is sent as one query string, which is one transaction; psql -f sends each by itself": (
        "index.create_concurrently_multi_stmt", "index.create_concurrently_after_set", "vacuum.multi_stmt",
        "parse.multi_cic_first", "parse.syntax_error_second"),
    "other sessions hold locks": ("index.create_concurrently_lock_timeout", "index.drop_concurrently_lock_timeout"),
    "the script may be meant for another database than the one that it is looked at against": (
        "reindex.database_other", "parse.other_database_qualified"),
    "not followed: rights of roles": ("parse.session_role_ddl", "parse.session_role_select"),
    "not followed: READ ONLY transactions": ("misc.transaction_read_only",),
    "not followed: which views can be written, and the foreign keys below them": (
        "dml.update_join_view", "dml.delete_view", "dml.select_for_update_matview"),
    "not followed: casts that are not immutable": ("index.create_expression_stable",),
    "not followed: libpg_query reads no cursors of PL/pgSQL": ("parse.do_cursor",),
}
UNKNOWABLE = {row: why for why, rows in _DIFFERENCES.items() for row in rows}

INPUT_FIELDS = ("id", "category", "sql", "setup", "session", "earlier_in_same_txn")
MEASURED_FIELDS = ("locks", "blocks_reads", "blocks_writes", "rewrites", "scans", "rebuilds_indexes", "transactional",
                   "error")


def load(path: Path) -> list[Row]:
    """All rows of a file with one JSON object a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def setup_statements(row: Row) -> list[str]:
    """What runs before the statement: each entry is one query string, in its own transaction."""
    setup = row.get("setup", [])
    return [setup] if isinstance(setup, str) else list(setup)


def strength(mode: str) -> int:
    """Rank of a lock mode; a stronger one conflicts with at least as much (but for Share and ShareUpdateExclusive)."""
    return MODES.index(mode)


def stronger(locks: dict[str, str], relation: str, mode: str) -> None:
    """Notes a lock on a relation, keeping the strongest."""
    if relation not in locks or strength(mode) > strength(locks[relation]):
        locks[relation] = mode


_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*)|(?P<open>/\*)
      |(?P<escape>(?<![A-Za-z0-9_])[eE]'(?:[^'\\]|\\.|'')*')|(?P<string>'(?:[^']|'')*')|(?P<ident>"(?:[^"]|"")*")
      |(?P<dollar>\$(?:[A-Za-z_][A-Za-z_0-9]*)?\$)|(?P<word>[A-Za-z_][A-Za-z_0-9$]*)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL)


def _tokens(sql: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each token; comments and dollar-quoted strings in one piece."""
    at = 0
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        assert match is not None
        kind, end = str(match.lastgroup), match.end()
        if kind == "open":
            kind, depth = "comment", 1
            while depth and end < len(sql):
                if sql.startswith("/*", end):
                    depth, end = depth + 1, end + 2
                elif sql.startswith("*/", end):
                    depth, end = depth - 1, end + 2
                else:
                    end += 1
        elif kind == "dollar":
            close = sql.find(match.group(), end)
            kind, end = "string", len(sql) if close < 0 else close + len(match.group())
        elif kind == "escape":
            kind = "string"
        yield kind, sql[at:end]
        at = end


def skeleton(sql: str) -> str:
    """The statement in upper case without comments and with empty strings, to look for key words in."""
    parts = {"comment": lambda _: " ", "string": lambda _: "''", "ident": lambda text: text}
    return "".join(parts.get(kind, str.upper)(text) for kind, text in _tokens(sql)).strip()


def split(sql: str) -> list[str]:
    """Top-level statements of a query string, without their semicolons; empty ones and bare comments are left out."""
    statements: list[str] = []
    current: list[str] = []
    parens = atomic = 0
    before = ""
    has_code = False

    def flush() -> None:
        nonlocal has_code
        if has_code:
            statements.append("".join(current).strip())
        current.clear()
        has_code = False

    for kind, text in _tokens(sql):
        if kind == "other" and text in "()":
            parens += 1 if text == "(" else -1
        if kind == "word":
            word = text.upper()
            if word == "ATOMIC" and before == "BEGIN" or atomic and word == "CASE":
                atomic += 1
            elif atomic and word == "END":
                atomic -= 1
            before = word
        if kind == "other" and text == ";" and not parens and not atomic:
            flush()
            continue
        has_code = has_code or kind != "comment" and not text.isspace()
        current.append(text)
    flush()
    return statements
