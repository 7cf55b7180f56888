#!/usr/bin/python3
"""What filling a column costs, side by side in one run on a private cluster, each from a fresh copy of one table.

Times are PostgreSQL's own: the clients' clock for plain SQL, the server's log for Curlew's batches (from the first
UPDATE to the end of the last). Machines are noisy: look at the ratios.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "demo"))

import psycopg2  # noqa: E402

from cluster import DATABASE, SUPERUSER, Cluster, free_port  # noqa: E402
from curlew import Curlew  # noqa: E402
from processes import Process  # noqa: E402

UP = "'+1' || right(regexp_replace(phone, '[^0-9]', '', 'g'), 10)"
TABLE = """
CREATE TABLE t (id bigint PRIMARY KEY, tenant int NOT NULL, phone text NOT NULL, note text);
INSERT INTO t SELECT g, g % 40, '(555) ' || g, 'note' FROM generate_series(1, {rows}) AS g;
CREATE INDEX t_tenant ON t (tenant);
ALTER TABLE t OWNER TO curlew;
"""
PLAN = f"""
name: bench
operations:
  - rename_column: {{table: t, from: phone, to: phone_number, up: "{UP}", down: phone_number}}
"""
ENVIRONMENTS = "environments: [{name: bench, targets: [bench], before_drop: {approvals: 1}}]\n"
WRITES = 20_000
BATCH = 10_000


class Bench:
    """A cluster with a template database that holds the table."""

    def __init__(self, rows: int):
        self.rows = rows
        self.root = Path(tempfile.mkdtemp(prefix="curlew-bench-", dir="/var/tmp"))
        self.root.chmod(0o711)
        self.cluster = Cluster("bench", self.root)
        self.processes: list[Process] = []

    def start(self) -> None:
        """Makes the cluster and the table."""
        self.cluster.create()
        self.cluster.start()
        self.cluster.psql(f"CREATE ROLE curlew LOGIN PASSWORD '{self.cluster.passwords['curlew']}';"
                          "GRANT pg_monitor TO curlew; ALTER ROLE curlew SET log_min_duration_statement = 0;"
                          "CREATE DATABASE source", database="postgres")
        self.cluster.psql(TABLE.format(rows=self.rows), database="source")
        self.cluster.psql("VACUUM (FREEZE, ANALYZE) t", database="source")

    def fresh(self) -> None:
        """The database anew, from the template, with nothing of the one before in flight."""
        self.cluster.psql(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)", database="postgres")
        self.cluster.psql(f"CREATE DATABASE {DATABASE} TEMPLATE source OWNER curlew", database="postgres")
        self.cluster.psql("CHECKPOINT", database="postgres")

    def connect(self):
        connection = psycopg2.connect(self.cluster.conninfo(SUPERUSER))
        connection.autocommit = True
        return connection

    def one_update(self) -> float:
        """Seconds of a single UPDATE of all rows."""
        with self.connect().cursor() as cursor:
            cursor.execute("ALTER TABLE t ADD COLUMN phone_number text")
            began = time.monotonic()
            cursor.execute(f"UPDATE t SET phone_number = {UP}")
            return time.monotonic() - began

    def limit_batches(self) -> float:
        """Seconds of the widespread pattern: WHERE id IN (SELECT ... LIMIT n), until nothing is left."""
        with self.connect().cursor() as cursor:
            cursor.execute("ALTER TABLE t ADD COLUMN phone_number text")
            began = time.monotonic()
            while True:
                cursor.execute(f"UPDATE t SET phone_number = {UP} WHERE id IN "
                               f"(SELECT id FROM t WHERE phone_number IS NULL LIMIT {BATCH})")
                if cursor.rowcount == 0:
                    return time.monotonic() - began

    def curlew(self) -> float:
        """Seconds of Curlew's backfill, triggers in force, as the server's log has it. Leaves the rollout at the gate
        before DROP."""
        address = f"127.0.0.1:{free_port()}"
        binaries = REPOSITORY / "build/bin"
        self.processes = [Process("controller", [str(binaries / "curlew-controller"), "--listen", address, "--store",
                                                 str(self.root / "store.db")], self.root / "controller.log")]
        (self.root / "plan.yaml").write_text(PLAN)
        (self.root / "environments.yaml").write_text(ENVIRONMENTS)
        curlew = Curlew(binaries / "curlew", address, self.root)
        for _ in range(100):
            try:
                curlew.run("env", "apply", "environments.yaml")
                break
            except RuntimeError:
                time.sleep(0.1)
        conninfo = self.cluster.conninfo("curlew").replace(" application_name=demo", "")
        self.processes.append(Process("agent", [str(binaries / "curlew-agent"), "--controller", address, "--target",
                                                f"bench={conninfo}"], self.root / "agent.log"))
        log_size = self.cluster.log.stat().st_size
        curlew.run("rollout", "start", str(self.root / "plan.yaml"), "--id", "bench", "--wait", "--until", "gate")
        return self.backfill_seconds(log_size)

    def backfill_seconds(self, offset: int) -> float:
        """From the start of the first batch to the end of the last, by the lines that the server wrote."""
        first = last = None
        with self.cluster.log.open() as log:
            log.seek(offset)
            for line in log:
                # A statement is logged when it ends, with how long it took.
                match = re.match(r"(\S+ \S+) \S+ .*duration: ([\d.]+) ms .*UPDATE ONLY public\.t AS t", line)
                if not match:
                    continue
                ended = datetime.fromisoformat(match.group(1)).timestamp()
                first = first or ended - float(match.group(2)) / 1000
                last = ended
        if first is None or last is None:
            raise RuntimeError(f"no batch stands in {self.cluster.log}")
        return last - first

    def write_costs(self) -> dict[str, float]:
        """Microseconds of a single-row UPDATE of another column, and of the renamed one."""
        self.cluster.psql("VACUUM (ANALYZE) t")
        return {"unrelated": self.writes("note = 'n' || i"), "related": self.writes("phone = '(555) 9' || i")}

    def writes(self, assignment: str) -> float:
        """Microseconds of one single-row UPDATE, in a loop on the server."""
        with self.connect().cursor() as cursor:
            began = time.monotonic()
            cursor.execute(f"DO $$ BEGIN FOR i IN 1..{WRITES} LOOP UPDATE t SET {assignment} WHERE id = i; "
                           "END LOOP; END $$")
            return (time.monotonic() - began) / WRITES * 1e6

    def close(self) -> None:
        """Ends and removes everything."""
        for process in reversed(self.processes):
            process.kill()
        self.cluster.stop()
        shutil.rmtree(self.root, ignore_errors=True)


def main() -> int:
    """Runs the comparison and prints it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000, help="rows of the table (default %(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    bench = Bench(options.rows)
    try:
        print(f"making a table of {options.rows:,} rows", flush=True)
        bench.start()
        seconds: dict[str, float] = {}
        for name, run in (("one UPDATE", bench.one_update), (f"LIMIT batches of {BATCH:,}", bench.limit_batches)):
            print(f"measuring: {name}", flush=True)
            bench.fresh()
            seconds[name] = run()
        # Both kinds of writes are measured on a table whose rows have all been written once.
        bench.fresh()
        bench.one_update()
        print("measuring: single-row writes without triggers", flush=True)
        plain = bench.write_costs()
        bench.fresh()
        print("measuring: Curlew, 1 worker", flush=True)
        seconds["Curlew, 1 worker"] = bench.curlew()
        print("measuring: single-row writes with triggers", flush=True)
        paired = bench.write_costs()
    finally:
        bench.close()
    base = seconds["one UPDATE"]
    print(f"\n{'way':28} {'seconds':>8} {'rows/s':>9} {'speed to one UPDATE':>20}")
    for name, taken in seconds.items():
        print(f"{name:28} {taken:8.2f} {options.rows / taken:9,.0f} {base / taken:20.2f}")
    print(f"\n{'single-row UPDATE':28} {'plain us':>9} {'with triggers us':>17} {'ratio':>6}")
    for name in plain:
        print(f"{name:28} {plain[name]:9.1f} {paired[name]:17.1f} {paired[name] / plain[name]:6.2f}")
    if options.json:
        ratios = {f"{name} / one UPDATE": base / taken for name, taken in seconds.items()}
        ratios |= {f"{name} write with triggers / plain": paired[name] / plain[name] for name in plain}
        options.json.write_text(json.dumps({"rows": options.rows, "seconds": seconds, "ratios": ratios}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
