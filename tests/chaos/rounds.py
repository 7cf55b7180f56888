"""One rollout of the plan over staging and production, with or without faults, and what the oracle says of it."""

from __future__ import annotations

import random
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import oracle
import sabotage
from clients import Client
from cluster import free_port
from curlew import Curlew, CurlewError, Rollout
from faults import FAULT_POINT, FREEZE_AT_POINT, PACK, Fault, Injector, World, draw_faults
from oracle import Findings
from points import NEED_SEVERAL, Deck
from proxy import Link, Proxies
from server import Server
from service import Service, Supervisor
from watcher import Watcher

HERE = Path(__file__).resolve().parent
PLAN = HERE / "plan.yaml"
TEMPLATE = "chaos_template"
TARGETS = ("staging", "production")
ENVIRONMENTS = """
environments:
  - {name: staging, targets: [staging], before_drop: {approvals: 1}}
  - {name: production, targets: [production], before: {approvals: 1}, before_drop: {approvals: 1}}
"""
ROWS = 60_000
ROUND_SECONDS = 240.0
READY_SECONDS = 30.0
LOOK_SECONDS = 0.2
LAST_EVENT_SECONDS = 30.0
# A transaction of an agent that is frozen in the middle of it ends after 2 s (agent/journal/fenced_transaction.h); the rest is
# for a machine that does much else.
LONGEST_CLIENT_SECONDS = 15.0
OLD_CLIENT, NEW_CLIENT = 1, 2  # Numbers of clients.
STORE_SIZE = "12m"
SABOTAGE_SECONDS = 0.5  # For the clients to meet what is broken.


@dataclass(frozen=True)
class Course:
    """What kind of round it is; follows from seed and number."""

    number: int
    several_controllers: bool = False
    standby_agents: bool = False
    rolls_back: str = ""  # The target at which it turns round; empty where it goes to the end.
    after_steps: int = 0  # Of that target; more than there are for the gate before DROP.
    faults: tuple[Fault, ...] = ()
    points: tuple[str, ...] = ()  # What the first processes die at: controller, agents in the order of TARGETS.
    patient: bool = False  # They are left alone until they have come to it, however long that takes.

    def describe(self) -> str:
        controllers = "2 controllers over PostgreSQL" if self.several_controllers else "1 controller over SQLite"
        agents = "2 agents each" if self.standby_agents else "1 agent each"
        if not self.rolls_back:
            end = "to the end"
        else:
            when = "at the gate" if self.after_steps > 40 else f"after {self.after_steps} steps"
            end = f"rolled back in {self.rolls_back} {when}"
        return f"{controllers}, {agents}, {end}"


def draw_course(seed: int, number: int, decks: dict[str, Deck], can_share_store: bool,
                wanted: dict[str, list[str]] | None = None) -> Course:
    """The round of that number. Where there are points that are `wanted` (by side), it is armed with those alone, others
    each time, and goes to the end, past all of them."""
    rng = random.Random(f"{seed}:{number}")
    several, standby = rng.random() < 0.5 and can_share_store, rng.random() < 0.4
    rolls_back = rng.choice(TARGETS) if number % 3 == 2 else ""
    if wanted is not None:
        # As often as a round may draw: each at its first pass.
        decks = {**decks, **{side: Deck(names * len(PACK), f"{seed}:{number}:{side}")
                             for side, names in wanted.items() if names}}
    points = (decks["first controller"].draw(), *(decks["first agent"].draw() for target in TARGETS
                                                  if target == TARGETS[0] or rolls_back != TARGETS[0]))
    after_steps, faults = rng.choice((1, 6, 9, 12, 16, 22, 30, 99)), tuple(draw_faults(rng, decks))
    if wanted is not None:
        chosen = _turn(wanted["controller"], number)
        points = (chosen, *(_turn(wanted["agent"], len(TARGETS) * number + i) for i in range(len(TARGETS))))
        several, standby, rolls_back = several or chosen.startswith(NEED_SEVERAL), False, ""
    return Course(number, several and can_share_store, standby, rolls_back, after_steps, faults, points, wanted is not None)


def _turn(names: list[str], number: int) -> str:
    return names[number % len(names)] if names else ""


@dataclass
class Reference:
    """What an undisturbed run of the same plan left."""

    schema: str
    own_schema: str
    steps: list[str]


@dataclass
class Outcome:
    """Of a round."""

    findings: Findings
    counts: Counter  # Faults by kind.
    phases: Counter  # Faults by phase.
    points: set[str]
    transactions: int
    excused: int
    resumed: int
    seconds: float
    longest_client_seconds: float
    reference: Reference | None = None


class RoundFailed(RuntimeError):
    """It did not come to its end; the message says where it stands."""


@dataclass
class Lab:
    """What outlives a round."""

    root: Path
    binaries: Path
    servers: dict[str, Server]  # By target, and "store" where controllers can share one.
    proxies: Proxies
    tell: Callable[[str], None]
    rows: int = ROWS
    sabotage: str = ""  # Of sabotage.py: what is broken in each round with faults.

    def database(self, number: int) -> str:
        return f"chaos_{number}"


def phase_of(seen: Rollout, target: str) -> str:
    """The phase of the first step that is not done, of UNDO where it is rolled back."""
    if seen.state == "ROLLING_BACK":
        return "UNDO"
    for step in seen.run(target).get("steps", []):
        if step.get("state") != "STEP_STATE_SUCCEEDED":
            return step["phase"].removeprefix("PHASE_")
    return "COMPILE"


class Round:
    """Runs once. Owns its folder, databases, processes and clients; run() leaves the folder where something is wrong."""

    def __init__(self, lab: Lab, course: Course, reference: Reference | None):
        self._lab = lab
        self._course = course
        self._reference = reference
        self._database = lab.database(course.number)
        self._folder = lab.root / f"round-{course.number}"
        self._store_folder = self._folder / "store"
        self._store_mounted = False
        self._findings = Findings()
        self._counts: Counter = Counter()
        self._phases: Counter = Counter()
        self._points: set[str] = set()
        self._clients: dict[str, list[Client]] = {target: [] for target in TARGETS}
        self._drained: list[Client] = []
        self._turned = False
        self._resumed = 0
        self._name = f"round-{course.number}"
        self._lock = threading.Lock()
        self._closers: list[Callable[[], None]] = []

    def run(self) -> Outcome:
        began = time.monotonic()
        try:
            self._folder.mkdir()
            self._folder.chmod(0o711)
            seen = self._migrate()
            self._judge(seen)
            for controller in self._world.controllers:
                controller.end()
            outcome = self._outcome(seen, began)
        except (RoundFailed, CurlewError) as error:
            self._findings.wrong.append(str(error))
            outcome = self._outcome(None, began)
        finally:
            self._close()
        if self._findings.wrong:
            for target in TARGETS:
                shutil.copy(self._lab.servers[target].log, self._folder / f"postgres-{target}.log")
        else:
            shutil.rmtree(self._folder, ignore_errors=True)
            for target in TARGETS:
                self._lab.servers[target].query("postgres", f"DROP DATABASE {self._database} WITH (FORCE)")
        return outcome

    # The rollout.

    def _migrate(self) -> Rollout:
        lab, course = self._lab, self._course
        before = {}
        for target in TARGETS:
            lab.servers[target].query("postgres", f"CREATE DATABASE {self._database} TEMPLATE {TEMPLATE} OWNER chaos_owner")
            before[target] = lab.servers[target].schema_dump(database=self._database)
        self._before = before
        self._untouched = {target: oracle.untouched_data(lab.servers[target], self._database) for target in TARGETS}
        self._world = world = self._start_control_plane()
        for target in TARGETS:
            self._start_client(target, "old")
        self._operate_until_ready()
        self._curlew_until_done("rollout", "start", str(PLAN), "--id", self._name)
        self._watcher = Watcher([str(lab.binaries / "curlew"), "rollout", "watch", self._name, "--give-up-after", "20s"],
                                self._curlew.environment, self._folder / "watch.log")
        self._closers.append(self._watcher.close)
        injector = Injector(world, list(course.faults), self._counts, self._phases, self._tell,
                            self._note) if course.faults else None
        try:
            return self._operate()
        finally:
            if injector is not None:
                injector.close()

    def _start_control_plane(self) -> World:
        lab, course = self._lab, self._course
        ports = [free_port() for _ in range(2 if course.several_controllers else 1)]
        store, store_links = self._store()
        links = {"store": store_links} if store_links else {}
        controllers = [
            Service(f"controller-{i}" if len(ports) > 1 else "controller",
                    [str(lab.binaries / "curlew-controller"), "--insecure", "--listen", f"127.0.0.1:{port}", "--store", store[i],
                     "--heartbeat-interval", "500ms", "--lease-time", "3s",
                     *(("--leader-lease", "3s") if course.several_controllers else ())],
                    self._folder / f"controller-{i}.log", self._at_point, self._note)
            for i, port in enumerate(ports)]
        self._curlew = Curlew(lab.binaries / "curlew", ",".join(f"127.0.0.1:{port}" for port in ports), self._folder)
        agents: dict[str, list[Service]] = {target: [] for target in TARGETS}
        for target in TARGETS:
            to_database = lab.proxies.add(f"agent and database of {target}", lab.servers[target].port)
            to_controllers = [lab.proxies.add(f"agent of {target} and controller", port) for port in ports]
            links[target] = [to_database, *to_controllers]
            passfile = lab.root / f"{target}-agent.pgpass"
            conninfo = (f"host=127.0.0.1 port={to_database.port} dbname={self._database} user=curlew passfile={passfile}"
                        " connect_timeout=5")
            for i in range(2 if course.standby_agents else 1):
                agents[target].append(Service(
                    f"agent-{target}" + ("-standby" if i else ""),
                    [str(lab.binaries / "curlew-agent"), "--insecure", "--controller",
                     ",".join(f"127.0.0.1:{link.port}" for link in to_controllers), "--id", f"agent-{target}", "--target",
                     f"{target}={conninfo}", "--report-row-keys"],
                    self._folder / f"agent-{target}-{i}.log", self._at_point, self._note))
        points = iter(course.points)
        for services in (controllers, *agents.values()):
            for number, service in enumerate(services):
                if number == 0:
                    point = next(points, "")
                # Any of several controllers may be the first that takes the lease.
                service.start(point if number == 0 or point.startswith(NEED_SEVERAL) else "")
        self._closers.append(Supervisor([*controllers, *(agent for both in agents.values() for agent in both)]).close)
        names = [*TARGETS, *(["store"] if course.several_controllers else [])]
        return World(controllers, agents, {name: lab.servers[name] for name in names}, self._database, links,
                     self._store_folder if self._store_mounted else None, lambda: self._watcher.kill(), TARGETS[0], "COMPILE",
                     course.patient)

    def _store(self) -> tuple[list[str], list[Link]]:
        """What --store is for each controller, and the proxies on the way there."""
        lab = self._lab
        if self._course.several_controllers:
            server = lab.servers["store"]
            server.query("postgres", f"CREATE DATABASE {self._database} OWNER curlew")
            found = [lab.proxies.add(f"controller-{i} and its store", server.port) for i in range(2)]
            return [f"postgresql://curlew@127.0.0.1:{link.port}/{self._database}?passfile={lab.root}/store-agent.pgpass"
                    for link in found], found
        self._store_folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={STORE_SIZE}", "chaos", str(self._store_folder)],
                              capture_output=True, check=False)
        if done.returncode == 0:
            self._store_mounted = True
            self._closers.insert(0, lambda: subprocess.run(["umount", "-l", str(self._store_folder)], check=False))
        return [str(self._store_folder / "store.db")], []

    def _operate_until_ready(self) -> None:
        (self._folder / "environments.yaml").write_text(ENVIRONMENTS)
        self._curlew_until_done("env", "apply", "environments.yaml")

    def _curlew_until_done(self, *arguments: str) -> None:
        """An operator who does not give up."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                self._curlew.run(*arguments)
                return
            except CurlewError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOOK_SECONDS)

    def _operate(self) -> Rollout:
        """What operators do: approve gates once the old application is drained, resume what failed, roll back."""
        deadline = time.monotonic() + ROUND_SECONDS
        seen, last_error = None, ""
        while time.monotonic() < deadline:
            try:
                seen = self._curlew.show(self._name)
                if seen.state in ("SUCCEEDED", "ROLLED_BACK"):
                    if (seen.state == "ROLLED_BACK") != self._turned:
                        raise RoundFailed(f"{self._name} is {seen.state}")
                    return seen
                self._act(seen)
            except CurlewError as error:
                last_error = str(error)
            time.sleep(LOOK_SECONDS)
        state = "was never seen" if seen is None else f"is {seen.state}, waits for {seen.values.get('waiting', [])}\n" \
            f"{seen.describe_failure()}"
        raise RoundFailed(f"{self._name} did not end within {ROUND_SECONDS:.0f} s: it {state}\n{last_error}")

    def _act(self, seen: Rollout) -> None:
        for target in TARGETS:
            if seen.run(target).get("state", "RUN_STATE_PENDING") not in ("RUN_STATE_PENDING", "RUN_STATE_SUCCEEDED"):
                if self._world.active != target:
                    for agent in self._world.agents[target]:
                        agent.touch()
                self._world.active, self._world.phase = target, phase_of(seen, target)
            self._act_on(seen, target)
        if seen.state == "FAILED":
            self._tell(f"failed, and is tried again: {seen.describe_failure()}")
            self._resumed += 1
            self._curlew.run("rollout", "rollback" if self._turned else "resume", self._name, "--reason", "chaos")

    def _act_on(self, seen: Rollout, target: str) -> None:
        steps = seen.run(target).get("steps", [])
        done = sum(step.get("state") == "STEP_STATE_SUCCEEDED" for step in steps)
        gate = f"{target}/before-drop"
        if self._turns_round(seen, target, done, gate):
            self._stop_clients("new")
            self._turned = True
            self._curlew.run("rollout", "rollback", self._name, "--reason", "chaos")
            return
        if self._turned:
            return
        dual = [step for step in steps if step.get("phase") == "PHASE_DUAL_WRITE"]
        if dual and all(step.get("state") == "STEP_STATE_SUCCEEDED" for step in dual):
            self._start_client(target, "new")
        if seen.waits_for_gate(f"{target}/before"):
            self._curlew.approve(self._name, f"{target}/before")
        if seen.waits_for_gate(gate) and self._has_written(target, "new"):
            self._break(sabotage.AT_THE_GATE, target)
            self._stop_clients("old", target)
            self._curlew.approve(self._name, gate)

    def _turns_round(self, seen: Rollout, target: str, done: int, gate: str) -> bool:
        if self._course.rolls_back != target or seen.state not in ("RUNNING", "ROLLING_BACK"):
            return False
        if self._turned:
            return seen.state == "RUNNING"  # The word was lost.
        return done >= self._course.after_steps or seen.waits_for_gate(gate)

    def _break(self, scripts: dict[str, str], target: str) -> None:
        script = scripts.get(self._lab.sabotage)
        if script is not None and self._course.faults:
            self._lab.servers[target].query(self._database, script)
            time.sleep(SABOTAGE_SECONDS)

    # Clients.

    def _start_client(self, target: str, shape: str) -> None:
        if any(client.shape == shape for client in self._clients[target] + self._drained
               if client.name.endswith(f" of {target}")):
            return
        number = OLD_CLIENT if shape == "old" else NEW_CLIENT
        client = Client(self._lab.servers[target], self._database, shape, number, self._lab.rows)
        self._clients[target].append(client)
        client.start()

    def _has_written(self, target: str, shape: str) -> bool:
        return any(client.shape == shape and client.committed > 50 for client in self._clients[target])

    def _stop_clients(self, shape: str = "", target: str = "") -> None:
        for name in [target] if target else TARGETS:
            for client in list(self._clients[name]):
                if not shape or client.shape == shape:
                    client.stop()
                    self._clients[name].remove(client)
                    self._drained.append(client)

    # The judgement.

    def _judge(self, seen: Rollout) -> None:
        self._stop_clients()
        self._break(sabotage.AT_THE_END, "staging")
        findings, all_steps = self._findings, {}
        for target in TARGETS:
            server = self._lab.servers[target]
            run = seen.run(target)
            migrated = run.get("state") == "RUN_STATE_SUCCEEDED"
            steps = [step["key"] for step in run.get("steps", [])]
            if migrated:
                all_steps[target] = steps
            elif self._course.rolls_back not in TARGETS[:TARGETS.index(target) + 1]:
                findings.wrong.append(f"{target}: the run is {run.get('state')}")
            rows, wrong = oracle.rows_equal_the_twin(server, self._database, migrated)
            findings.rows += rows
            findings.note(target, wrong)
            findings.note(target, oracle.rows_are_counted_once(server, self._database, migrated, self._lab.rows))
            findings.note(target, oracle.ledger_is_tallied_once(server, self._database, migrated))
            findings.note(target, oracle.attic_is_purged(server, self._database, migrated))
            findings.note(target, oracle.same_text("data of the tables that nobody writes",
                                                   oracle.untouched_data(server, self._database), self._untouched[target]))
            findings.note(target, oracle.left_over(server, self._database))
            schema = server.schema_dump(database=self._database)
            if not migrated:
                findings.note(target, oracle.same_text("pg_dump after the rollback", schema, self._before[target]))
            elif self._reference is not None:
                findings.note(target, oracle.same_text("pg_dump", schema, self._reference.schema))
                own = server.schema_dump("--schema=curlew", self._database)
                findings.note(target, oracle.same_text("pg_dump of schema curlew", own, self._reference.own_schema))
            if run.get("steps"):
                findings.note(target, oracle.journal_is_whole(server, self._database, steps, migrated))
        findings.note("clients", oracle.clients_were_undisturbed(self._drained, LONGEST_CLIENT_SECONDS))
        self._watcher.wait_for(seen.last_event, LAST_EVENT_SECONDS)
        events = self._watcher.events()
        findings.events = len(events)
        findings.note("events", oracle.events_are_whole(events, seen.last_event))
        findings.note("events", oracle.steps_ended_once(events, all_steps))
        findings.note("events", [f"the watcher was given {line!r}" for line in self._watcher.garbled])

    def _outcome(self, seen: Rollout | None, began: float) -> Outcome:
        clients = self._drained + [client for clients in self._clients.values() for client in clients]
        reference = None
        if seen is not None and not self._course.faults:
            server = self._lab.servers["staging"]
            reference = Reference(server.schema_dump(database=self._database),
                                  server.schema_dump("--schema=curlew", self._database),
                                  [step["key"] for step in seen.run("staging").get("steps", [])])
        return Outcome(self._findings, self._counts, self._phases, self._points, sum(client.committed for client in clients),
                       sum(client.excused for client in clients), self._resumed, time.monotonic() - began,
                       max((client.longest_seconds for client in clients), default=0.0), reference)

    def _at_point(self, service: Service, point: str, what: str) -> None:
        kind = FAULT_POINT if what == "died" else FREEZE_AT_POINT
        with self._lock:
            self._points.add(point)
            self._counts[kind] += 1
            self._phases[self._world.phase] += 1
        self._tell(f"{kind}: {service.name} {what} at {point}")

    def _note(self, problem: str) -> None:
        with self._lock:
            self._findings.wrong.append(problem)

    def _tell(self, text: str) -> None:
        self._lab.tell(f"  round {self._course.number}: {text}")

    def _close(self) -> None:
        self._stop_clients()
        for close in reversed(self._closers):
            close()
