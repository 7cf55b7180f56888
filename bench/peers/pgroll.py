"""pgroll, where bench/peers/install_pgroll.sh has built it: its own triggers and its default batches of 1,000 rows.

Written after its documentation (docs/cli, docs/operations/add_column).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import server_log
from cluster import DATABASE
from server import REPOSITORY, Server
from tables import NEW_COLUMN, UP
from ways import Way, Work

INSTALLED = REPOSITORY / "build" / "peers" / "pgroll"
# Its name is the file's.
MIGRATION = {"operations": [{"add_column": {
    "table": "t", "up": UP, "column": {"name": NEW_COLUMN, "type": "text", "nullable": True}}}]}


def way() -> Way:
    program = str(INSTALLED) if INSTALLED.exists() else shutil.which("pgroll")
    missing = "" if program else "not installed (bench/peers/install_pgroll.sh)"
    return Way("pgroll", "pgroll start, as it is: its own triggers, batches of 1,000",
               lambda server: _run(server, Path(program)), missing)


def _run(server: Server, program: Path) -> Work:
    """Timed as Curlew is: by the server's log, from the first batch to the last."""
    folder = server.root / "pgroll"
    folder.mkdir(exist_ok=True)
    file = folder / "bench.json"
    file.write_text(json.dumps(MIGRATION))
    url = f"postgres://curlew@127.0.0.1:{server.cluster.port}/{DATABASE}?sslmode=disable"
    environment = os.environ | {"PGROLL_PG_URL": url, "PGPASSFILE": str(server.cluster.pgpass("curlew"))}

    def run(*arguments: str) -> None:
        done = subprocess.run([str(program), *arguments], env=environment, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"pgroll {' '.join(arguments)} ended with status {done.returncode}:\n{done.stdout}")

    run("init")
    # What stands in the database when it begins is its baseline.
    run("baseline", "before", str(folder), "--yes")
    offset = server.cluster.log.stat().st_size
    run("start", str(file))
    batches = [(s.began, s.ended) for s in server_log.statements(server.cluster.log, offset)
               if server_log.WRITES.search(s.text)]
    # Until then the column has another name.
    run("complete")
    return Work(batches[0][0], batches[-1][1], batches)
