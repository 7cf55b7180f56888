#!/usr/bin/python3
"""Compares what `curlew lint` says with what PostgreSQL did, over truth.jsonl and measured.jsonl; see README.md."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rows import DISPUTED, MEASURED, TRUTH, UNKNOWABLE, Row, load, stronger
from server import Server, ServerError, conninfo

FIELDS = ("locks", "blocks_reads", "blocks_writes", "rewrites", "scans", "transactional")
_TIMEOUT_S = 30


@dataclass
class Script:
    """The file that is linted for a row, and on which lines stands what."""

    text: str
    first_line: int  # of what counts for the locks: earlier statements of the transaction, and the row's own
    own_line: int  # of the row's own statement


def script(row: Row) -> Script:
    """Session settings, then the statement, in a transaction with what came earlier in it."""
    lines: list[str] = [statement + ";" for statement in row.get("session", [])]
    earlier = row.get("earlier_in_same_txn", [])
    if earlier:
        lines.append("BEGIN;")
    first_line = _lines(lines) + 1
    lines += [statement + ";" for statement in earlier]
    own_line = _lines(lines) + 1
    sql = row["sql"]
    if earlier:
        # The semicolon stands on a line of its own: the statement may end in a comment.
        lines += [sql, ";", "COMMIT;"]
    else:
        lines.append(sql)
    return Script("\n".join(lines) + "\n", first_line, own_line)


def _lines(parts: list[str]) -> int:
    return sum(part.count("\n") + 1 for part in parts)


def combine(statements: list[dict[str, Any]], where: Script) -> Row:
    """One answer for several statements: locks and blocking of the whole transaction, the rest of the row's own."""
    locks: dict[str, str] = {}
    result: Row = {"locks": locks, "blocks_reads": False, "blocks_writes": False, "rewrites": False, "scans": False,
                   "transactional": True}
    for statement in statements:
        if statement["line"] < where.first_line:
            continue
        for lock in statement["locks"]:
            stronger(locks, lock["relation"].removeprefix("public."), lock["mode"].removesuffix("Lock"))
        result["blocks_reads"] |= statement["blocks_reads"]
        result["blocks_writes"] |= statement["blocks_writes"]
        if statement["line"] >= where.own_line:
            result["rewrites"] |= statement["rewrites"]
            result["scans"] |= statement["scans"]
            result["transactional"] &= statement["transactional"]
    return result


def harmful(row: Row) -> bool:
    """Blocks writes while it rewrites or scans: what must not be missed."""
    return bool(row["blocks_writes"] and (row["rewrites"] or row["scans"]))


@dataclass
class Answer:
    """What the linter said about a row."""

    row: Row
    got: Row | None = None
    statements: int = 0
    seconds: float = 0.0
    problem: str = ""
    differing: list[str] = field(default_factory=list)


def needs_own_database(row: Row) -> bool:
    """Whether lint has to see what the row's setup leaves; else one database serves all, lint changes nothing."""
    return "setup" in row or "case_db" in row["sql"]


def batches(rows: list[Row], offline: bool) -> list[list[Row]]:
    """Rows that one process may lint together."""
    size = 40
    shared = [row for row in rows if offline or not needs_own_database(row)]
    own = [[row] for row in rows if not offline and needs_own_database(row)]
    return own + [shared[at:at + size] for at in range(0, len(shared), size)]


class Linter:
    """Runs the binary; one in each worker."""

    def __init__(self, binary: str, dsn: str | None, shared: str) -> None:
        self._binary = binary
        self._server = None if dsn is None else Server(dsn)
        self._shared = shared
        self._folder = tempfile.TemporaryDirectory(prefix="curlew-lint-")  # pylint: disable=consider-using-with

    def answers(self, rows: list[Row]) -> list[Answer]:
        """Lints the rows' statements, a file each, against the database that they need: all the same one."""
        if self._server is None:
            return self._run(rows, None)
        if needs_own_database(rows[0]):
            with self._server.database(rows[0]) as dsn:
                return self._run(rows, dsn)
        return self._run(rows, self._server.dsn_of(self._shared))

    def _run(self, rows: list[Row], dsn: str | None) -> list[Answer]:
        answers = [Answer(row) for row in rows]
        scripts = [script(row) for row in rows]
        paths = [str(Path(self._folder.name) / f"{number}.sql") for number in range(len(rows))]
        for path, where in zip(paths, scripts):
            Path(path).write_bytes(where.text.encode())
        command = [self._binary, "lint", *paths, "-o", "json"]
        if dsn is not None:
            command += ["--database", dsn]
        started = time.monotonic()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
            seconds = (time.monotonic() - started) / len(rows)
            found = json.loads(done.stdout)
            for answer, path, where in zip(answers, paths, scripts):
                statements = [entry for entry in found if entry["file"] == path]
                answer.seconds, answer.statements = seconds, len(statements)
                answer.got = combine(statements, where)
                answer.differing = [name for name in FIELDS if answer.row[name] != answer.got[name]]
        except subprocess.TimeoutExpired:
            answers[0].problem = f"no answer within {_TIMEOUT_S} s"
        except (ValueError, KeyError, TypeError) as failure:
            if len(rows) > 1:  # whose fault it is shows one by one
                return [self._run([row], dsn)[0] for row in rows]
            answers[0].problem = (f"no usable answer, exit status {done.returncode}: {failure!r}\n  "
                                  f"{done.stdout[:300]}\n  {done.stderr[:600]}")
        return answers


_linter: Linter | None = None


def _start_worker(binary: str, dsn: str | None, shared: str) -> None:
    global _linter
    _linter = Linter(binary, dsn, shared)


def _work(rows: list[Row]) -> list[Answer]:
    assert _linter is not None
    return _linter.answers(rows)


def describe(answer: Answer) -> str:
    """The block for a row that differs."""
    row = answer.row
    lines = [f"{row['id']}: {row['sql']}"]
    for name in ("setup", "session", "earlier_in_same_txn"):
        if name in row:
            lines.append(f"  {name}: {row[name]}")
    if "error" in row:
        lines.append(f"  error: {row['error']['sqlstate']} {row['error']['message']}")
    if answer.got is None:
        return "\n".join([*lines, "  " + answer.problem])
    for name in answer.differing:
        if name == "locks":
            lines += _lock_lines(row["locks"], answer.got["locks"])
        else:
            lines.append(f"  {name}: expected {row[name]}, got {answer.got[name]}")
    return "\n".join(lines)


def _lock_lines(expected: dict[str, str], got: dict[str, str]) -> list[str]:
    lines = []
    for relation in sorted({*expected, *got}):
        if expected.get(relation) != got.get(relation):
            lines.append(f"  lock on {relation}: expected {expected.get(relation, 'none')}, "
                         f"got {got.get(relation, 'none')}")
    return lines


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({100 * part / whole:.1f} %)" if whole else "")


def _harm_lines(answers: list[Answer]) -> list[str]:
    """Recall and precision of the one thing that must not be missed, over the rows without an error."""
    judged = [(harmful(a.row), harmful(a.got)) for a in answers if a.got is not None and "error" not in a.row]
    both = sum(expected and got for expected, got in judged)
    missed = [a.row["id"] for a in answers if a.got and "error" not in a.row and harmful(a.row) and not harmful(a.got)]
    false = [a.row["id"] for a in answers if a.got and "error" not in a.row and harmful(a.got) and not harmful(a.row)]
    lines = ["blocks writes while it rewrites or scans (rows without error):",
             f"  recall {_share(both, sum(expected for expected, _ in judged))}, "
             f"precision {_share(both, sum(got for _, got in judged))}"]
    if missed:
        lines.append("  missed: " + ", ".join(missed))
    if false:
        lines.append("  false alarm: " + ", ".join(false))
    return lines


def summary(answers: list[Answer], origin: dict[str, str], offline: bool) -> str:
    """The table at the end."""
    lines: list[str] = []
    if not offline:
        plain = [a for a in answers if "error" not in a.row]
        failing = [a for a in answers if "error" in a.row]
        good = [a for a in answers if a.got is not None and not a.differing]
        agreeing = {a.row["id"] for a in good}
        lines.append(f"agree: {_share(len(good), len(answers))}; without error "
                     f"{_share(sum(a.row['id'] in agreeing for a in plain), len(plain))}; with error "
                     f"{_share(sum(a.row['id'] in agreeing for a in failing), len(failing))}")
        for name in sorted(set(origin.values())):
            rows = [a for a in answers if origin[a.row["id"]] == name]
            lines.append(f"  {name}: {_share(sum(a.row['id'] in agreeing for a in rows), len(rows))}")
        wrong = Counter(name for a in plain for name in a.differing)
        lines.append("fields that differ, rows without error: "
                     + (", ".join(f"{name} {count}" for name, count in wrong.most_common()) or "none"))
        lines.append("by category (rows without error):")
        for category in sorted({a.row["category"] for a in plain}):
            rows = [a for a in plain if a.row["category"] == category]
            lines.append(f"  {category}: {_share(sum(a.row['id'] in agreeing for a in rows), len(rows))}")
    lines += _harm_lines(answers)
    timed = [a for a in answers if a.got is not None]
    statements = sum(max(a.statements, 1) for a in timed)
    if timed:
        lines.append(f"time: {1000 * sum(a.seconds for a in timed) / statements:.1f} ms a statement, "
                     f"slowest file {1000 * max(a.seconds for a in timed):.0f} ms (the share of a process for many)")
    unanswered = [a.row["id"] for a in answers if a.got is None]
    if unanswered:
        lines.append(f"without answer: {len(unanswered)}: {', '.join(unanswered[:20])}")
    return "\n".join(lines)


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("curlew", help="path of the binary")
    parser.add_argument("--only", metavar="REGEX", help="only rows whose id matches")
    parser.add_argument("--file", type=Path, action="append", help="rows; default: truth.jsonl and measured.jsonl")
    parser.add_argument("--offline", action="store_true", help="no database: only recall and precision")
    parser.add_argument("--server", metavar="CONNINFO", help="a superuser's; default: the one of CURLEW_TEST_CLUSTER")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="print rows that agree, too")
    options = parser.parse_args()

    rows: list[Row] = []
    origin: dict[str, str] = {}
    for path in options.file or [p for p in (TRUTH, MEASURED) if p.exists()]:
        for row in load(path):
            if not options.only or re.search(options.only, row["id"]):
                rows.append(row)
                origin[row["id"]] = path.name
    if not rows:
        print("compare.py: no row matches", file=sys.stderr)
        return 2

    dsn: str | None = None
    server: Server | None = None
    shared = ""
    if not options.offline:
        try:
            dsn = conninfo(options.server)
        except ServerError as problem:
            print(f"compare.py: {problem}", file=sys.stderr)
            return 2
        server = Server(dsn)
        shared = server.create({"sql": ""})
    try:
        with multiprocessing.Pool(options.jobs, _start_worker, (options.curlew, dsn, shared)) as pool:
            groups = list(pool.imap(_work, batches(rows, options.offline)))
        order = {row["id"]: number for number, row in enumerate(rows)}
        answers = sorted((a for group in groups for a in group), key=lambda a: order[a.row["id"]])
    finally:
        if server is not None:
            server.drop(shared)

    failed = False
    for answer in answers:
        agrees = answer.got is not None and not answer.differing
        reason = DISPUTED.get(answer.row["id"]) or UNKNOWABLE.get(answer.row["id"])
        known = reason is not None and answer.got is not None
        if options.offline:
            failed = failed or answer.got is None
            continue
        if not agrees:
            failed = failed or not known
            print(describe(answer) + (f"\n  known: {reason}" if known else ""))
        elif options.show:
            print(f"{answer.row['id']}: agrees: {json.dumps(answer.got, ensure_ascii=False)}")
    print(summary(answers, origin, options.offline))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
