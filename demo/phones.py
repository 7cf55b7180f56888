"""Telephone numbers of the demo: as digits, as people spell them, and normalised.

`normalise` is written here once more, in another language than the plan's `up`, so that the proof does not
compare an expression with itself.
"""

from __future__ import annotations

NORMALISED = r"^\+1[0-9]{10}$"

# Area codes from 600 on belong to the applications: each worker draws from a range of its own, so that numbers
# are unique whoever writes.
_FIRST_OF_APPLICATIONS = 400 * 8_000_000
_NUMBERS_PER_SLOT = 200_000_000


def digits(slot: int, count: int) -> str:
    """The ten digits of the count-th number of a worker's slot."""
    number = _FIRST_OF_APPLICATIONS + slot * _NUMBERS_PER_SLOT + count
    area, rest = divmod(number, 8_000_000)
    exchange, line = divmod(rest, 10_000)
    return f"{200 + area:03d}{200 + exchange:03d}{line:04d}"


def spelt(ten: str, way: int) -> str:
    """A number in one of the ways that people type it."""
    area, exchange, line = ten[:3], ten[3:6], ten[6:]
    ways = (f"+1 {area} {exchange} {line}", f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}",
            f"{area}.{exchange}.{line}", ten, f"+1{ten}", f"1-{area}-{exchange}-{line}", f" {area} {exchange} {line} ")
    return ways[way % len(ways)]


def normalise(phone: str) -> str:
    """What the new column must hold for this old one."""
    only_digits = "".join(c for c in phone if "0" <= c <= "9")
    return "+1" + only_digits[-10:]
