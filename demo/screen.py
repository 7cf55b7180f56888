"""What a person sees: numbered sections, lines and tables within 100 columns."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence

WIDTH = 100


class Screen:
    """Writes to standard output, in bold where that is a terminal that wants it. Every line is flushed, so that
    what other programs write to the same terminal stands in order."""

    def __init__(self) -> None:
        self._section = 0
        self._styled = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def section(self, title: str) -> None:
        self._section += 1
        print(f"\n{self.bold(f'{self._section}. {title}')}", flush=True)

    def say(self, text: str) -> None:
        """A sentence or two, wrapped."""
        print(textwrap.fill(text, WIDTH, initial_indent="   ", subsequent_indent="   ", break_long_words=False,
                            break_on_hyphens=False), flush=True)

    def verbatim(self, text: str, indent: str = "   ") -> None:
        """Lines as they are; those that are too long go on, indented, on the next."""
        for line in text.rstrip().splitlines():
            inner = indent + " " * (len(line) - len(line.lstrip()))
            print("\n".join(textwrap.wrap(line.strip(), WIDTH, initial_indent=inner, subsequent_indent=inner + "    ",
                                          break_long_words=False, break_on_hyphens=False)), flush=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> None:
        """The first `left` columns are aligned to the left, the others to the right."""
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
        for number, row in enumerate((head, *rows)):
            cells = [cell.ljust(width) if i < left else cell.rjust(width)
                     for i, (cell, width) in enumerate(zip(row, widths))]
            line = "   " + "  ".join(cells).rstrip()
            print(self.bold(line) if number == 0 else line, flush=True)

    def verdict(self, holds: bool, what: str, measured: str) -> None:
        """One line of a proof: whether it held, what was looked at, what was found."""
        start = f"   {'ok    ' if holds else 'FAILED'}  {what:<44}  "
        print(textwrap.fill(measured, WIDTH, initial_indent=start, subsequent_indent=" " * len(start)), flush=True)

    def bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._styled else text
