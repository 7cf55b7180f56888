"""Curlew itself: a real controller, agent and rollout, up to the gate before DROP, timed by the server's log."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import curlew as command_line
import server_log
from cluster import free_port
from curlew import Curlew, CurlewError
from processes import Process
from server import TREE, Server
from tables import NEW_COLUMN, UP
from ways import Way, Work

PLAN = f"""name: bench
operations:
  - rename_column: {{table: t, from: phone, to: {NEW_COLUMN}, up: "{UP}", down: {NEW_COLUMN}}}
"""
SETTINGS = "settings: {{backfill: {{max_workers: {workers}}}}}\n"
ENVIRONMENTS = "environments: [{name: bench, targets: [bench], before_drop: {approvals: 1}}]\n"
CALL_SECONDS = 3600.0
READY_SECONDS = 30.0
# Every limit off: how fast it goes where nobody else needs the database.
UNLIMITED = ("lock_waiters", "active_sessions", "replica_lag_ms", "replica_lag_bytes", "slot_lag_bytes",
             "archive_backlog", "oldest_xmin_age", "dead_rows_per_live_row", "autovacuum_on_table",
             "wraparound_vacuum_on_table", "requested_checkpoints_per_minute", "disk_used_fraction")


class CurlewWay:
    """Runs rollouts with the programs of one folder."""

    def __init__(self, binaries: Path):
        self.binaries = binaries
        command_line.CALL_SECONDS = CALL_SECONDS

    def way(self, workers: int, limits: bool) -> Way:
        name = f"curlew-{workers}" if workers else "curlew"
        what = f"{workers} worker{'s' if workers > 1 else ''}" if workers else "no settings in the plan"
        return Way(name, f"Curlew, {what}, its triggers in force", lambda server: self.run(server, workers, limits))

    def run(self, server: Server, workers: int, limits: bool) -> Work:
        """A rollout up to the gate, and when its batches were."""
        offset = server.cluster.log.stat().st_size
        figures = self.to_the_gate(server, workers, limits)
        found = server_log.phases(server_log.statements(server.cluster.log, offset))
        batches = [(batch.began, batch.ended) for batch in found.batches]
        return Work(min(batch[0] for batch in batches), max(batch[1] for batch in batches), batches, figures | {
            "verification_seconds": server_log.span(found.verification),
            "maintenance_seconds": server_log.span(found.maintenance)})

    def to_the_gate(self, server: Server, workers: int, limits: bool) -> dict[str, float]:
        """A rollout of the plan. The triggers stay, as at the gate; the agent and the controller are ended."""
        folder = server.root / "curlew"
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        (folder / "plan.yaml").write_text(PLAN + (SETTINGS.format(workers=workers) if workers else ""))
        (folder / "environments.yaml").write_text(ENVIRONMENTS)
        with self._agent(server, folder, limits) as (curlew, agent):
            began = time.time()
            curlew.run("rollout", "start", "plan.yaml", "--id", "bench", "--wait", "--until", "gate")
            ended = time.time()
            memory = _peak_memory(agent.pid)
            agent.stop()
        return {"rollout_began": began, "rollout_seconds": ended - began, "agent_memory_bytes": memory}

    @contextmanager
    def _agent(self, server: Server, folder: Path, limits: bool):
        address = f"127.0.0.1:{free_port()}"
        curlew = Curlew(self.binaries / "curlew", address, folder)
        conninfo = server.cluster.conninfo("curlew").replace(" application_name=demo", "")
        processes = [Process("controller", [str(self.binaries / "curlew-controller"), "--insecure", "--listen", address, "--store",
                                            str(folder / "store.db")], folder / "controller.log")]
        try:
            _until(lambda: _answers(curlew), "the controller does not answer")
            processes.append(Process("agent", [
                str(self.binaries / "curlew-agent"), "--insecure", "--controller", address, "--target", f"bench={conninfo}",
                *self._throttle(folder, limits)], folder / "agent.log"))
            _until(lambda: any(target.get("served") for target in curlew.json("target", "list").get("targets", [])),
                   "the agent does not serve its target")
            yield curlew, processes[-1]
        except CurlewError as error:
            raise CurlewError(f"{error}\n" + "\n".join(process.last_lines() for process in processes)) from error
        finally:
            for process in reversed(processes):
                process.kill()

    def _throttle(self, folder: Path, limits: bool) -> list[str]:
        """Flags of the agent; none where all stays as it is, or where it cannot be told otherwise."""
        if limits or "--throttle" not in subprocess.run([str(self.binaries / "curlew-agent"), "--help"],
                                                        capture_output=True, text=True, check=True).stdout:
            return []
        off = ", ".join(f"{name}: off" for name in UNLIMITED)
        (folder / "throttle.yaml").write_text(f"limits: {{{off}}}\n")
        return ["--throttle", str(folder / "throttle.yaml")]


def trigger_ddl(server: Server, template: str) -> str:
    """A script that makes another fresh copy of the template write both columns as at the gate: the columns that a
    rollout added, and all of Curlew's functions and triggers. The database must stand at the gate."""
    # The marker has a default: every row is pending.
    columns = "SELECT attname, format_type(atttypid, atttypmod) || coalesce(' DEFAULT ' || pg_get_expr(adbin, adrelid)," \
              " '') FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum" \
              " WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    before = {name for name, _ in server.query(columns, template)}
    lines = [f'ALTER TABLE public.t ADD COLUMN "{name}" {kind};' for name, kind in server.query(columns)
             if name not in before]
    lines += [server.cluster.schema_dump("--schema=curlew"), "RESET search_path;"]
    lines += [f"{row[0]};" for row in server.query(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger"
        f" WHERE tgrelid IN ({TREE}) AND NOT tgisinternal AND tgparentid = 0 ORDER BY tgname")]
    return "\n".join(lines)


def _peak_memory(pid: int) -> int:
    """The most bytes of memory that a process has held."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/{pid}/status has no VmHWM")


def _answers(curlew: Curlew) -> bool:
    try:
        curlew.run("env", "apply", "environments.yaml")
        return True
    except CurlewError:
        return False


def _until(ready, otherwise: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise CurlewError(f"{otherwise} after {READY_SECONDS:.0f} s")
        time.sleep(0.05)
