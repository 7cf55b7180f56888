"""The named fault points of controller and agent, found in the sources, and which of them a run has passed."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

CALL = re.compile(r'FaultPoint\("([a-z_.]+)"\)')

# Points that neither the plan of this harness nor its faults arrive at, with what would.
NEED_ANOTHER_PLAN: dict[str, str] = {
    "backup.before_commit": "a plan with a backup: tests/agent/executor/backup_test",
    "measure.before_commit": "a plan that measures before and after: tests/agent/executor/verify_values_test",
    "pki": "curlew pki, which changes files alone: tests/common/pki",
    "pin.verified": "agents that run signed plans alone: tests/agent/session/attacker_test",
}
# How the names of those begin that only several controllers pass.
NEED_SEVERAL = "lease."


def scan(repository: Path) -> dict[str, list[str]]:
    """Names by side, "controller" and "agent", sorted. What common/ has belongs to both."""
    found: dict[str, set[str]] = {"controller": set(), "agent": set()}
    for folder in ("controller", "agent", "common"):
        for path in sorted((repository / folder).rglob("*")):
            if path.suffix not in (".cc", ".h") or path.name == "fault_point.h":
                continue
            for name in CALL.findall(path.read_text()):
                for side in found if folder == "common" else (folder,):
                    found[side].add(name)
    return {side: sorted(names) for side, names in found.items()}


def decks(found: dict[str, list[str]], seed: int) -> dict[str, Deck]:
    """By side: what processes that are armed in the course of a round die at. "first controller" and "first agent": what
    those die at that a round begins with, which come past every point."""
    return {f"{when}{side}": Deck([name for name in names if name not in NEED_ANOTHER_PLAN], f"{seed}:{when}{side}")
            for side, names in found.items() for when in ("", "first ")}


class Deck:
    """Deals the points of one side in an order that follows from the seed. The first time each is to strike at its
    first pass, later at a random one."""

    def __init__(self, names: list[str], seed: str):
        self._random = random.Random(seed)
        self._names = list(names)
        self._random.shuffle(self._names)
        self._dealt = self._deal()

    def draw(self) -> str:
        """A value for CURLEW_FAULT."""
        return next(self._dealt)

    def _deal(self) -> Iterator[str]:
        yield from self._names
        while True:
            for name in self._names:
                yield f"{name}:{self._random.choice((1, 1, 2, 3, 5, 8))}"
