#!/usr/bin/python3
"""All statements of all rows in one script, in orders that make no sense: `curlew lint` has to judge each, and to end."""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from rows import MEASURED, TRUTH, load, setup_statements

_TIMEOUT_S = 60


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("curlew", help="path of the binary")
    parser.add_argument("--seeds", type=int, default=8, help="how many orders")
    options = parser.parse_args()
    # What does not parse may swallow what follows it, an open quote for example.
    rows = [row for path in (TRUTH, MEASURED) for row in load(path) if row.get("error", {}).get("sqlstate") != "42601"]
    statements = [text for row in rows for text in [*setup_statements(row), row["sql"]]]
    failed = False
    with tempfile.TemporaryDirectory(prefix="curlew-lint-") as folder:
        path = Path(folder) / "script.sql"
        for seed in range(options.seeds):
            random.Random(seed).shuffle(statements)
            path.write_text("\n;\n".join(statements) + "\n;\n", encoding="utf-8")
            done = subprocess.run([options.curlew, "lint", str(path), "-o", "json"], capture_output=True,
                                  timeout=_TIMEOUT_S, check=False)
            judged = len(json.loads(done.stdout)) if done.returncode in (0, 1) else -1
            if judged < len(statements):
                failed = True
                print(f"seed {seed}: exit status {done.returncode}, {judged} judged: {done.stderr[-300:]!r}")
    print(f"{options.seeds} orders of {len(statements)} entries")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
