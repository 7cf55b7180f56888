"""What is done to a round: which faults, drawn from a seed, and how each is made and healed."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from points import Deck
from proxy import Link
from server import Server
from service import Service

KILL_CONTROLLER = "kill controller"
FREEZE_CONTROLLER = "freeze controller"
KILL_AGENT = "kill agent"
FREEZE_AGENT = "freeze agent"
END_BACKEND = "end backend"
KILL_BACKEND = "kill backend"
STOP_POSTMASTER = "stop postmaster"
KILL_POSTMASTER = "kill postmaster"
CUT = "cut connections"
SLOW = "slow connections"
BLACK_HOLE = "black hole"
FULL_DISK = "full disk"
FILE_LIMIT = "file limit"
KILL_WATCHER = "kill watcher"
FAULT_POINT = "fault point"
FREEZE_AT_POINT = "freeze at fault point"
LONGER_THAN_A_LEASE = 4.5  # Seconds.

# How often each is in the pack that a round draws from.
PACK = {KILL_CONTROLLER: 2, FREEZE_CONTROLLER: 2, KILL_AGENT: 2, FREEZE_AGENT: 2, END_BACKEND: 2, KILL_BACKEND: 1,
        STOP_POSTMASTER: 1, KILL_POSTMASTER: 1, CUT: 2, SLOW: 1, BLACK_HOLE: 2, FULL_DISK: 1, FILE_LIMIT: 1,
        KILL_WATCHER: 1, FAULT_POINT: 10, FREEZE_AT_POINT: 4}
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 1.8
RANDOM_BELOW = 0.8  # Seconds: a fault that lasts less may be anywhere, the others where the rollout is.
PROTECTED_SECONDS = 8.0
CONTROLLERS_SHARE = 0.35  # Of the fault points.
BACKENDS = """
SELECT pid FROM pg_stat_activity WHERE datname = %s AND usename = 'curlew' AND pid <> pg_backend_pid()
ORDER BY (state <> 'idle') DESC, random() LIMIT 1
"""


@dataclass(frozen=True)
class Fault:
    """One choice: all but the moment follows from the seed."""

    kind: str
    draw: float  # Chooses the subject: from 0 to 1, of however many there are.
    pause: float  # Seconds from the fault before it.
    seconds: float  # How long it lasts, where it is healed.
    detail: str = ""  # Of a black hole, the directions; of a fault point, the value of CURLEW_FAULT.

    def pick(self, subjects: list):
        return subjects[int(self.draw * len(subjects))]


def draw_faults(rng: random.Random, decks: dict[str, Deck]) -> list[Fault]:
    """A shuffled pack."""
    kinds = [kind for kind, times in PACK.items() for _ in range(times)]
    rng.shuffle(kinds)
    faults = []
    for kind in kinds:
        draw, detail = rng.random(), ""
        if kind == BLACK_HOLE:
            detail = rng.choice(("up down", "up", "down"))
        if kind in (FAULT_POINT, FREEZE_AT_POINT):
            detail = decks["controller" if draw < CONTROLLERS_SHARE else "agent"].draw()
        faults.append(Fault(kind, draw, rng.uniform(SHORTEST_PAUSE, LONGEST_PAUSE), rng.uniform(0.3, 5.0), detail))
    return faults


@dataclass
class World:
    """What there is to be harmed in a round."""

    controllers: list[Service]
    agents: dict[str, list[Service]]  # By target.
    servers: dict[str, Server]  # By target; "store" where controllers share one.
    database: str
    links: dict[str, list[Link]]  # By target; "store" likewise.
    store_folder: Path | None  # Where it is a file system of its own.
    kill_watcher: Callable[[], bool]
    active: str  # The target that the rollout is at, as last seen.
    phase: str  # And the phase.
    patient: bool = False  # With processes that are armed from the beginning.

    def protects(self, service: Service) -> bool:
        """Whether it is left alone for a while, so that it comes to its fault point."""
        active = service in self.controllers or service in self.agents[self.active]
        soon = active and not (self.patient and service.starts == 1)
        return service.waits_for_point(PROTECTED_SECONDS if soon else float("inf"))

    def without(self, part: Server | Link) -> ExitStack:
        """Controllers may fail to start meanwhile where `part` is between them and their store."""
        stack = ExitStack()
        if part is self.servers.get("store") or part in self.links.get("store", []):
            for controller in self.controllers:
                stack.enter_context(controller.without_store())
        return stack

    def here(self, fault: Fault, parts: dict[str, list]) -> list:
        """Those of the active target and of the store; now and then also of the others."""
        names = parts if fault.seconds < RANDOM_BELOW else [name for name in (self.active, "store") if name in parts]
        return [part for name in names for part in parts[name]]


class Injector:
    """A thread that makes one fault after the other; several may last at the same time. `tell` gets a line about each
    that was made. close() makes no more and waits until all are healed."""

    def __init__(self, world: World, faults: list[Fault], counts: Counter, phases: Counter,
                 tell: Callable[[str], None], problem: Callable[[str], None]):
        self._world = world
        self._faults = faults
        self._counts = counts
        self._phases = phases
        self._tell = tell
        self._problem = problem
        self._end = threading.Event()
        self._making: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._run, name="faults", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        for thread in self._making:
            thread.join()

    def _run(self) -> None:
        for fault in self._faults:
            if self._end.wait(fault.pause):
                return
            thread = threading.Thread(target=self._make, args=(fault,), name=fault.kind, daemon=True)
            self._making.append(thread)
            thread.start()
            while sum(making.is_alive() for making in self._making) > 2:
                if self._end.wait(0.05):
                    return

    def _make(self, fault: Fault) -> None:
        try:
            MAKE[fault.kind](self, fault)
        except Exception as error:  # pylint: disable=broad-except
            self._problem(f"the harness failed at the fault \"{fault.kind}\": {error!r}")

    def _made(self, fault: Fault, what: str) -> None:
        self._counts[fault.kind] += 1
        self._phases[self._world.phase] += 1
        self._tell(f"{fault.kind}: {what}")

    def _server(self, fault: Fault) -> Server:
        return fault.pick(self._world.here(fault, {name: [server] for name, server in self._world.servers.items()}))

    def _last(self, fault: Fault) -> None:
        self._end.wait(fault.seconds)

    # One each.

    def _kill(self, parts: dict[str, list[Service]], fault: Fault) -> None:
        service = fault.pick(self._world.here(fault, parts))
        if not self._world.protects(service) and service.kill():
            self._made(fault, service.name)

    def _freeze(self, parts: dict[str, list[Service]], fault: Fault) -> None:
        service = fault.pick(self._world.here(fault, parts))
        wake = service.freeze()
        self._made(fault, f"{service.name} for {fault.seconds:.1f} s")
        self._last(fault)
        wake()

    def _end_backend(self, fault: Fault) -> None:
        server = self._server(fault)
        with server.fault, self._world.without(server):
            found = server.query("postgres", BACKENDS, (self._world.database,))
            if found and server.query("postgres", "SELECT pg_terminate_backend(%s)", found[0])[0][0]:
                self._made(fault, f"of Curlew on {server.name}")

    def _kill_backend(self, fault: Fault) -> None:
        server = self._server(fault)
        with server.fault, self._world.without(server):
            found = server.query("postgres", BACKENDS, (self._world.database,))
            if found and server.kill_backend(found[0][0]):
                self._made(fault, f"of Curlew on {server.name}")

    def _postmaster(self, how: Callable[[Server], None], fault: Fault) -> None:
        server = self._server(fault)
        with server.fault, self._world.without(server):
            how(server)
            self._made(fault, server.name)

    def _link(self, harm: Callable[[Link], None], fault: Fault) -> None:
        link = fault.pick(self._world.here(fault, self._world.links))
        with link.fault, self._world.without(link):
            harm(link)
            self._made(fault, f"{link.name} {fault.detail} for {fault.seconds:.1f} s".replace("  ", " "))
            self._last(fault)
            link.heal()

    def _full_disk(self, fault: Fault) -> None:
        folder = self._world.store_folder
        if folder is None:
            return
        filler = folder / f"filler-{fault.draw}"
        with ExitStack() as stack:
            for controller in self._world.controllers:
                stack.enter_context(controller.without_store())
            stack.callback(filler.unlink, missing_ok=True)
            with open(filler, "wb", buffering=0) as full:
                try:
                    while True:
                        if full.write(bytes(4096)) < 4096:
                            break
                except OSError:
                    pass
            self._made(fault, f"of the store for {fault.seconds:.1f} s")
            self._last(fault)

    def _file_limit(self, fault: Fault) -> None:
        service = fault.pick(self._world.controllers)
        with service.without_store():
            try:
                free = service.limit_files()
            except (ProcessLookupError, PermissionError):
                return
            self._made(fault, f"{service.name} for {fault.seconds:.1f} s")
            self._last(fault)
            free()

    def _kill_watcher(self, fault: Fault) -> None:
        if self._world.kill_watcher():
            self._made(fault, "it goes on from the last event")

    def _arm(self, fault: Fault) -> None:
        """Counted when it dies or freezes."""
        services = self._world.controllers if fault.draw < CONTROLLERS_SHARE else self._world.agents[self._world.active]
        service = services[int(fault.draw * 1000) % len(services)]
        if self._world.protects(service):
            return
        service.arm(fault.detail, LONGER_THAN_A_LEASE if fault.kind == FREEZE_AT_POINT else 0.0)


MAKE: dict[str, Callable[[Injector, Fault], None]] = {
    KILL_CONTROLLER: lambda self, fault: self._kill({"store": self._world.controllers}, fault),
    FREEZE_CONTROLLER: lambda self, fault: self._freeze({"store": self._world.controllers}, fault),
    KILL_AGENT: lambda self, fault: self._kill(self._world.agents, fault),
    FREEZE_AGENT: lambda self, fault: self._freeze(self._world.agents, fault),
    END_BACKEND: Injector._end_backend,
    KILL_BACKEND: Injector._kill_backend,
    STOP_POSTMASTER: lambda self, fault: self._postmaster(Server.stop_at_once, fault),
    KILL_POSTMASTER: lambda self, fault: self._postmaster(Server.kill_postmaster, fault),
    CUT: lambda self, fault: self._link(Link.cut, fault),
    SLOW: lambda self, fault: self._link(lambda link: link.slow(0.05 + fault.draw * 0.3), fault),
    BLACK_HOLE: lambda self, fault: self._link(lambda link: link.black_hole(tuple(fault.detail.split())), fault),
    FULL_DISK: Injector._full_disk,
    FILE_LIMIT: Injector._file_limit,
    KILL_WATCHER: Injector._kill_watcher,
    FAULT_POINT: Injector._arm,
    FREEZE_AT_POINT: Injector._arm,
}
