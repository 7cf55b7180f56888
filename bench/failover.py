#!/usr/bin/python3
"""How long a failover takes: a leader is killed, frozen or ended under a backfill, again and again.

An observer that is none of Curlew's programs looks on. Counted from the signal:
  health   the other controller says on its health service (curlew.leader) that it leads
  served   it says that the agent serves its target again
  call     a `curlew target list` that was begun right after the signal has its answer
  pause    the longest time in which the backfill wrote no row
All settings are the defaults. Each failover begins when everything is as it should be: one leads, one stands by, the
target is served, the backfill writes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import server as servers  # noqa: E402  (puts the demo's modules on the path)
from cluster import free_port  # noqa: E402
from health import serving  # noqa: E402
from processes import Process  # noqa: E402

KINDS = {"SIGKILL": signal.SIGKILL, "SIGSTOP": signal.SIGSTOP, "SIGTERM": signal.SIGTERM}
FIGURES = ("health", "served", "call", "pause")
LONGEST = 60.0
LOOK = 0.02

TABLE = """
CREATE TABLE contacts (id bigint PRIMARY KEY, phone text NOT NULL);
INSERT INTO contacts SELECT g, (5550000000 + g)::text FROM generate_series(1, {rows}) AS g;
CREATE SEQUENCE written;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN PERFORM nextval('written'); PERFORM pg_sleep(0.005); RETURN NULL; END $$;
CREATE TRIGGER note AFTER UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION note();
"""
PLAN = """name: rename-phone
operations:
  - rename_column: {table: contacts, from: phone, to: phone_number, up: "'+1' || phone", down: "substr(phone_number, 3)"}
"""
PIPELINE = "environments: [{name: only, targets: [bench], before_drop: {approvals: 1}}]\n"


class Fleet:
    """Two controllers on a store in PostgreSQL, an agent, and a backfill that lasts longer than the benchmark."""

    def __init__(self, server: servers.Server, binaries: Path, rows: int):
        self.folder = server.root / "fleet"
        self.folder.mkdir()
        self.binaries = binaries
        server.cluster.psql("CREATE DATABASE store OWNER curlew; CREATE DATABASE target OWNER curlew", database="postgres")
        server.cluster.psql(f"SET ROLE curlew; {TABLE.format(rows=rows)}", database="target")
        conninfo = server.cluster.conninfo("curlew", database="target").replace(" application_name=demo", "")
        store = server.cluster.conninfo("curlew", database="store").replace(" application_name=demo", "")
        self.store = "postgresql:///?" + store.replace(" ", "&")
        self.ports = [free_port(), free_port()]
        self.starts = [0, 0]
        self.controllers = [self._controller(0)]
        until(lambda: serving(self.ports[0], "curlew.leader"), "the first controller does not lead")
        self.controllers.append(self._controller(1))
        until(lambda: serving(self.ports[1], ""), "the second controller does not answer")
        self.addresses = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        (self.folder / "pipeline.yaml").write_text(PIPELINE)
        (self.folder / "plan.yaml").write_text(PLAN)
        self.curlew("env", "apply", "-f", str(self.folder / "pipeline.yaml"))
        self.agent = Process("agent", [str(binaries / "curlew-agent"), "--insecure", "--controller", self.addresses, "--id", "bench",
                                       "--target", f"bench={conninfo}"], self.folder / "agent.log")
        until(self.served, "the agent does not serve its target")
        self.curlew("rollout", "start", str(self.folder / "plan.yaml"), "--id", "bench")
        self.written = Written(server)
        until(lambda: self.written.value > 0, "the backfill writes nothing")

    def close(self) -> None:
        for process in [getattr(self, "agent", None), *self.controllers]:
            if process is not None:
                process.signal(signal.SIGCONT)
                process.kill()
        if hasattr(self, "written"):
            self.written.close()

    def curlew(self, *arguments: str) -> str:
        return subprocess.run([str(self.binaries / "curlew"), "--insecure", "--controller", self.addresses, *arguments], check=True,
                              capture_output=True, text=True).stdout

    def served(self) -> bool:
        targets = json.loads(self.curlew("target", "list", "-o", "json")).get("targets", [])
        return any(target.get("served") for target in targets)

    def leader(self) -> int:
        return next(i for i in (0, 1) if serving(self.ports[i], "curlew.leader"))

    def log(self, number: int) -> Path:
        return self.folder / f"controller-{number}-{self.starts[number]}.log"

    def restart(self, number: int) -> None:
        self.controllers[number] = self._controller(number)

    def _controller(self, number: int) -> Process:
        self.starts[number] += 1
        return Process(f"controller {number}", [str(self.binaries / "curlew-controller"), "--insecure", "--listen",
                                                f"127.0.0.1:{self.ports[number]}", "--store", self.store],
                       self.log(number))


class Written:
    """Counts the rows that the backfill writes, fifty times a second, on a connection of its own."""

    def __init__(self, server: servers.Server):
        self.value = 0
        self.changes: list[float] = []
        self._stop = threading.Event()
        self._connection = server.connect("target")
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with self._connection.cursor() as cursor:
            while not self._stop.wait(LOOK):
                cursor.execute("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM written")
                value = cursor.fetchone()[0]
                if value != self.value:
                    self.value = value
                    self.changes.append(time.monotonic())

    def longest_pause(self, begin: float, end: float) -> float:
        """Also where nothing was written to the end."""
        moments = [begin, *[change for change in self.changes if begin < change < end], end]
        return max(later - earlier for earlier, later in zip(moments, moments[1:]))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._connection.close()


def until(holds, otherwise: str, seconds: float = LONGEST) -> float:
    """Looks until it holds; the seconds that it took."""
    begin = time.monotonic()
    while not holds():
        if time.monotonic() - begin > seconds:
            raise RuntimeError(f"{otherwise}, after {seconds:.0f} s")
        time.sleep(LOOK)
    return time.monotonic() - begin


def fail_over(fleet: Fleet, kind: str) -> dict[str, float]:
    """One failover. What was measured, in seconds."""
    old = fleet.leader()
    new = 1 - old
    until(lambda: serving(fleet.ports[new], ""), "the other one does not answer")
    log = fleet.log(new)
    before = log.stat().st_size
    begin = time.monotonic()
    fleet.controllers[old].signal(KINDS[kind])
    call = Call(fleet)
    found: dict[str, float] = {}

    def look() -> bool:
        now = time.monotonic() - begin
        if "health" not in found and serving(fleet.ports[new], "curlew.leader"):
            found["health"] = now
        if "served" not in found and b"target is served" in log.read_bytes()[before:]:
            found["served"] = now
        if "call" not in found and call.ended is not None:
            found["call"] = call.ended - begin
        return len(found) == 3

    until(look, f"no failover after {kind}: there is {found}")
    end = time.monotonic()
    # Whoever was struck is there again, and everything as before.
    if kind == "SIGSTOP":
        fleet.controllers[old].signal(signal.SIGCONT)
    else:
        until(lambda: fleet.controllers[old].status() is not None, f"it did not end after {kind}")
        fleet.restart(old)
    until(lambda: serving(fleet.ports[old], "") and not serving(fleet.ports[old], "curlew.leader"),
          "the one that was struck does not stand by")
    if not fleet.served():
        raise RuntimeError("the target is not served any more")
    written = fleet.written.value
    until(lambda: fleet.written.value > written, "the backfill writes no more")
    found["pause"] = fleet.written.longest_pause(begin, max(end, fleet.written.changes[-1]))
    return found


class Call:
    """A call of an operator; once more where it fails, as people do."""

    def __init__(self, fleet: Fleet):
        self.ended: float | None = None
        self.tries = 0
        threading.Thread(target=self._run, args=(fleet,), daemon=True).start()

    def _run(self, fleet: Fleet) -> None:
        while True:
            self.tries += 1
            try:
                fleet.curlew("target", "list")
                self.ended = time.monotonic()
                return
            except subprocess.CalledProcessError as error:
                print(f"  a call failed: {error.stderr.strip()}", file=sys.stderr)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench failover", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kill", type=int, default=20, help="failovers by SIGKILL (default %(default)s)")
    parser.add_argument("--stop", type=int, default=5, help="failovers by SIGSTOP (default %(default)s)")
    parser.add_argument("--term", type=int, default=5, help="failovers by SIGTERM (default %(default)s)")
    parser.add_argument("--rows", type=int, default=400_000, help="rows to fill in (default %(default)s)")
    parser.add_argument("--limit", type=float, default=10.0,
                        help="exit with 1 where a target was not served again within this, in seconds (default "
                        "%(default)s)")
    parser.add_argument("--bin", type=Path, default=servers.REPOSITORY / "build" / "bin",
                        help="folder of the programs (default %(default)s)")
    parser.add_argument("--logs", type=Path, help="copy the logs of all processes to this folder")
    return parser.parse_args()


def main() -> int:
    options = parse()
    server = servers.Server(logged_from_ms=-1)
    fleet = None
    worst = 0.0
    try:
        server.start()
        fleet = Fleet(server, options.bin, options.rows)
        for kind, times in (("SIGKILL", options.kill), ("SIGSTOP", options.stop), ("SIGTERM", options.term)):
            runs = []
            for number in range(times):
                runs.append(fail_over(fleet, kind))
                print(f"{kind} {number + 1:2}: " + ", ".join(f"{name} {runs[-1][name]:5.2f} s" for name in FIGURES),
                      flush=True)
            if runs:
                worst = max(worst, *(run["served"] for run in runs))
                print(f"{kind}, {times} failovers, seconds from the signal:")
                for name in FIGURES:
                    values = [run[name] for run in runs]
                    print(f"  {name:7} min {min(values):5.2f}  median {median(values):5.2f}  max {max(values):5.2f}",
                          flush=True)
        state = json.loads(fleet.curlew("rollout", "show", "bench", "-o", "json"))["state"]
        print(f"the rollout is {state}, {fleet.written.value} rows written")
    finally:
        if fleet is not None:
            fleet.close()
            if options.logs:
                shutil.copytree(fleet.folder, options.logs, dirs_exist_ok=True)
        server.close()
    if worst > options.limit:
        print(f"a target was served again only after {worst:.2f} s, more than {options.limit:.2f} s", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
