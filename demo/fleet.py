"""Everything that the demo starts: two databases, a controller, two agents, applications, observers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import observer
import proof
from certificates import Certificates
from cluster import DATABASE, SUPERUSER, Cluster, free_port
from curlew import Curlew
from processes import Process, ProcessError

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
EXAMPLES = REPOSITORY / "examples"
PLAN = EXAMPLES / "plans" / "rename-contact-phone.yaml"
ENVIRONMENTS = EXAMPLES / "environments.yaml"
FOLDER_PREFIX = "curlew-demo-"
STATE_FILE = "demo.json"
PYTHON = "/usr/bin/python3"  # Debian's: another one on the path may lack psycopg2.
WORKERS = 4
READY_SECONDS = 30
SIBLING_ROWS = 2_000


@dataclass(frozen=True)
class Sibling:
    """One more database of a site's server, small, and without applications."""

    target: str
    database: str


@dataclass
class Site:
    """One environment's server: the database that applications work on, and its siblings."""

    name: str
    target: str
    rows: int
    cluster: Cluster
    out: Path
    siblings: list[Sibling] = field(default_factory=list)
    processes: dict[str, Process] = field(default_factory=dict)  # Applications and "observer".

    def start_application(self, name: str) -> None:
        self._start(name, ["app.py", "--application", name, "--conninfo",
                           self.cluster.conninfo("crm_app", f"crm-{name}"), "--rows", str(self.rows), "--out",
                           str(self.out), "--workers", str(WORKERS)])

    def targets(self) -> list[str]:
        return [self.target, *(sibling.target for sibling in self.siblings)]

    def drain_application(self, name: str) -> list[proof.WorkerResult]:
        """Stops an application, which disconnects, and returns what its workers wrote down."""
        self.processes.pop(name).stop()
        return proof.load_results(self.out, name)

    def start_observer(self) -> None:
        self._start("observer", ["observer.py", "--conninfo", self.cluster.conninfo(), "--out",
                                 str(self.out / "observer.json")])

    def finish_observer(self) -> observer.Observation:
        self.processes.pop("observer").stop()
        return observer.load(self.out / "observer.json")

    def _start(self, name: str, command: list[str]) -> None:
        script, *arguments = command
        self.processes[name] = Process(f"{name} on {self.name}", [PYTHON, str(HERE / script), *arguments],
                                       self.out / f"{name}.log")

# Who starts, who approves, and who looks around afterwards; by their certificates.
OPERATOR, APPROVER, VISITOR = "alice", "bob", "you"
ACCESS = f"""roles:
  - {{role: admin, users: [{OPERATOR}, {VISITOR}]}}
  - {{role: approver, users: [{APPROVER}]}}
agents:
"""


class Fleet:
    """Owns all processes and folders of one demo. close() ends and removes them, however far it got."""

    def __init__(self, bin_folder: Path, rows_staging: int, rows_production: int, siblings: int = 0):
        """`siblings`: how many databases production has beside the one with applications."""
        self.root = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir="/var/tmp"))
        self.root.chmod(0o711)  # The server's user passes through; names cannot be listed.
        self.bin = bin_folder
        self.controller_address = f"127.0.0.1:{free_port()}"
        self.services: list[Process] = []
        self.sites: list[Site] = []
        for name, rows in (("staging", rows_staging), ("production", rows_production)):
            out = self.root / f"{name}-results"
            out.mkdir()
            more = [Sibling(f"{name}-{n}", f"crm_{n}") for n in range(2, siblings + 2)] if name == "production" else []
            self.sites.append(Site(name, f"{name}-crm", rows, Cluster(name, self.root), out, more))
        self.certificates = Certificates(bin_folder / "curlew", self.root / "pki")
        self.people = {name: Curlew(bin_folder / "curlew", self.controller_address, REPOSITORY,
                                    self.certificates.user(name)) for name in (OPERATOR, APPROVER)}
        self.curlew = self.people[OPERATOR]
        self.plan = PLAN

    def in_a_hurry(self, plan: Path, unused_for: str) -> Path:
        """A copy of the plan for which the old shape has to be unused for no longer than that before it goes."""
        text = plan.read_text()
        settings = f"settings:\n  unused_for: {unused_for}\n"
        text = text.replace("settings:\n", settings) if "\nsettings:\n" in text else f"{text}{settings}"
        quick = self.root / plan.name
        quick.write_text(text)
        return quick

    def start_databases(self, dirty: bool) -> None:
        """Makes, starts and fills both clusters, side by side."""

        def fill(site: Site) -> None:
            site.cluster.create()
            site.cluster.start()
            site.cluster.load(site.rows, dirty)
            for sibling in site.siblings:
                site.cluster.add_database(sibling.database, SIBLING_ROWS)

        with ThreadPoolExecutor(len(self.sites)) as pool:
            filling = [pool.submit(fill, site) for site in self.sites]
            try:
                for future in filling:
                    future.result()
            except BaseException:
                for site in self.sites:  # Else the other one would go on loading for nobody.
                    site.cluster.stop()
                raise

    def start_control_plane(self, *agent_flags: str, environments: Path = ENVIRONMENTS) -> None:
        """Starts controller and agents, tells the pipeline, and waits until both targets are served."""
        access = self.root / "access.yaml"
        access.write_text(ACCESS + "".join(f"  - {{agent: agent-{site.name}, targets: [{', '.join(site.targets())}]}}\n"
                                           for site in self.sites))
        self._service("controller", [str(self.bin / "curlew-controller"), "--listen", self.controller_address, "--store",
                                     str(self.root / "controller.db"), "--access", str(access),
                                     *self.certificates.controller()])
        self.wait_for_controller()
        self.curlew.run("env", "apply", str(environments))
        for site in self.sites:
            targets = [(site.target, DATABASE), *((sibling.target, sibling.database) for sibling in site.siblings)]
            flags = [flag for target, database in targets
                     for flag in ("--target", f"{target}={self._agent_conninfo(site, database)}")]
            self._service(f"agent-{site.name}", [
                str(self.bin / "curlew-agent"), "--controller", self.controller_address,
                *self.certificates.agent(f"agent-{site.name}"), *flags, *agent_flags])
        self.wait_for_targets()

    def wait_for_controller(self) -> None:
        self._wait_until(self._controller_answers, "the controller does not answer")

    def wait_for_targets(self) -> None:
        self.wait_for_controller()
        self._wait_until(self._targets_are_served, "the agents do not serve their targets")

    def check(self) -> None:
        """Raises ProcessError where a process has ended that should run."""
        for process in self.processes():
            process.check()

    def processes(self) -> list[Process]:
        return self.services + [process for site in self.sites for process in site.processes.values()]

    def keep(self, application: str, names: list[str]) -> None:
        """Leaves everything running, an application on each named site too, and writes commands for looking around,
        and what stop_kept() needs, into the folder."""
        for site in self.sites:
            if site.name in names:
                site.start_application(application)
            self._script(f"psql-{site.name}", f"export PGPASSFILE={site.cluster.pgpass(SUPERUSER)}",
                         f"psql -h 127.0.0.1 -p {site.cluster.port} -U {SUPERUSER} -d {DATABASE}")
        settings = {"CURLEW_CONTROLLER": self.controller_address} | self.certificates.user(VISITOR)
        self._script("curlew", "export " + " ".join(f"{name}={value}" for name, value in settings.items()),
                     str(self.bin / "curlew"))
        state = {"pids": [process.pid for process in self.processes()],
                 "clusters": [site.name for site in self.sites]}
        (self.root / STATE_FILE).write_text(json.dumps(state))

    def logs(self) -> str:
        """The end of what controller and agents wrote."""
        return "\n".join(f"-- {service.name}:\n{service.last_lines()}" for service in self.services)

    def close(self) -> None:
        """Ends every process and removes the folder."""
        for process in reversed(self.processes()):
            process.kill()
        for site in self.sites:
            site.cluster.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def _script(self, name: str, setting: str, command: str) -> None:
        """A short command for a person, in the demo's folder."""
        path = self.root / name
        path.write_text(f'#!/bin/sh\n{setting}\nexec {command} "$@"\n')
        path.chmod(0o755)

    def _service(self, name: str, command: list[str]) -> None:
        self.services.append(Process(name, command, self.root / f"{name}.log"))

    def _wait_until(self, ready, otherwise: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            for service in self.services:
                service.check()
            if time.monotonic() > deadline:
                raise ProcessError(f"{otherwise} after {READY_SECONDS} s")
            time.sleep(0.1)

    def _controller_answers(self) -> bool:
        host, port = self.controller_address.split(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0

    def _targets_are_served(self) -> bool:
        targets = self.curlew.json("target", "list").get("targets", [])
        expected = sum(1 + len(site.siblings) for site in self.sites)
        return len(targets) == expected and all(target.get("served") for target in targets)

    @staticmethod
    def _agent_conninfo(site: Site, database: str) -> str:
        return site.cluster.conninfo("curlew", database=database).replace(" application_name=demo", "")


def stop_kept(folder: Path) -> None:
    """Ends what --keep has left running. Raises ValueError where the folder is not one of a demo."""
    folder = folder.resolve()
    state_file = folder / STATE_FILE
    if not folder.name.startswith(FOLDER_PREFIX) or not state_file.is_file():
        raise ValueError(f"{folder} is not the folder of a demo that was kept")
    state = json.loads(state_file.read_text())
    for pid in state["pids"]:
        command = Path(f"/proc/{pid}/cmdline")
        # A number may have been given to somebody else meanwhile; our processes name the folder.
        if command.exists() and str(folder).encode() in command.read_bytes():
            os.killpg(pid, signal.SIGKILL)
    for name in state["clusters"]:
        Cluster(name, folder).stop()
    shutil.rmtree(folder)
