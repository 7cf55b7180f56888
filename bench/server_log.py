"""What the server's log says about the agent's statements: the outside clock of Curlew's backfill.

Only the agent's role is logged (server.Server): a line or so for each batch. A line is written when a statement ends,
with how long it took.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from tables import NEW_COLUMN

HEAD = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC \[(\d+)\] .*?LOG:  duration: ([\d.]+) ms  "
                  r"(?:statement|execute [^:]*): (.*)", re.DOTALL)
TABLE = r"(?:ONLY )?(?:\"?public\"?\.)?\"?t(?:_\d+)?\"?(?![\w.])"
WRITES = re.compile(rf"\bUPDATE {TABLE}")
READS = re.compile(rf"\b(?:FROM|JOIN) {TABLE}")
DDL = re.compile(r"\s*(?:ALTER|CREATE|DROP|COMMENT)\b", re.IGNORECASE)
MAINTENANCE = re.compile(r"\s*(?:ANALYZE|VACUUM)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Statement:
    """One statement of the agent, in seconds since the epoch."""

    began: float
    ended: float
    text: str

    @property
    def fills(self) -> bool:
        return bool(WRITES.search(self.text)) and NEW_COLUMN in self.text

    @property
    def reads(self) -> bool:
        return not self.fills and not DDL.match(self.text) and not MAINTENANCE.match(self.text) and \
            bool(READS.search(self.text))


def statements(log: Path, offset: int) -> list[Statement]:
    """All that were logged after `offset`, in the order of their ends."""
    entries: list[list[str]] = []
    with log.open(errors="replace") as lines:
        lines.seek(offset)
        for line in lines:
            if line.startswith("\t") and entries:
                entries[-1].append(line)
            else:
                entries.append([line])
    found = []
    for entry in entries:
        match = HEAD.match("".join(entry))
        if match:
            ended = datetime.fromisoformat(match.group(1)).replace(tzinfo=timezone.utc).timestamp()
            found.append(Statement(ended - float(match.group(3)) / 1000, ended, match.group(4)))
    return found


@dataclass(frozen=True)
class Phases:
    """The statements of a rollout that stands at the gate before DROP."""

    batches: list[Statement]
    verification: list[Statement]
    maintenance: list[Statement]


def phases(found: list[Statement]) -> Phases:
    """Tells the phases apart. The verification is what reads the table after the last batch and before DDL comes.
    Raises RuntimeError where there is no batch."""
    batches = [statement for statement in found if statement.fills]
    if not batches:
        raise RuntimeError(f"no batch stands in the server's log; it has {len(found)} statements of the agent")
    walked = max(statement.ended for statement in batches)
    after = [statement for statement in found if statement.began >= walked - 0.001]
    next_ddl = min((statement.began for statement in after if DDL.match(statement.text)), default=float("inf"))
    return Phases(batches=batches,
                  verification=[s for s in after if s.reads and s.ended <= next_ddl],
                  maintenance=[s for s in after if MAINTENANCE.match(s.text)])


def span(found: list[Statement]) -> float:
    """Seconds from the first's begin to the last's end; 0 for none."""
    if not found:
        return 0.0
    return max(statement.ended for statement in found) - min(statement.began for statement in found)
