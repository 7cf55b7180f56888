"""Controllers and agents as Kubernetes would run them: what ends is started again."""

from __future__ import annotations

import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import Process

KILLED = -signal.SIGKILL
AT_FAULT_POINT = 137
LOOK_SECONDS = 0.03
AGAIN_SECONDS = 0.2
STOP_SECONDS = 10.0
STORE_SLACK_SECONDS = 1.0


class Service:
    """One program that is to run. Any thread may call. `on_fault(service, point, what)` is told when it "died" or
    "froze" at a fault point, `on_problem(text)` when it ended by itself."""

    def __init__(self, name: str, command: list[str], log: Path, on_fault: Callable[[Service, str, str], None],
                 on_problem: Callable[[str], None]):
        self.name = name
        self._command = command
        self._log = log
        self._on_fault = on_fault
        self._on_problem = on_problem
        self._lock = threading.RLock()
        self._process: Process | None = None
        self._armed = ""
        self._expected: set[int] = set()
        self._not_before = 0.0
        self._closed = False
        self._frozen = 0  # By how many calls of freeze().
        self._without_store = 0  # How many faults keep it from its store now.
        self._freeze_seconds = 0.0
        self._wake_at = float("inf")
        self._armed_at = 0.0
        self.starts = 0

    def start(self, point: str = "", freeze_seconds: float = 0.0) -> None:
        """Starts it, to die at `point`, or to freeze there for so long."""
        with self._lock:
            self._freeze_seconds, self._wake_at = freeze_seconds, float("inf")
            self.starts += 1
            self._armed_at = time.monotonic()
            environment = {"CURLEW_FAULT": point + (":freeze" if freeze_seconds else "")} if point else None
            # A file that may not grow is an error to handle, as a full disk is, and no signal.
            self._process = Process(self.name, ["env", "--ignore-signal=XFSZ", *self._command], self._log, environment)
            self._armed, self._expected = point, {AT_FAULT_POINT} if point else set()

    def waits_for_point(self, seconds: float = float("inf")) -> bool:
        """Whether it is armed, has not come to its fault point, and was armed, or touched, less than so long ago."""
        with self._lock:
            return bool(self._armed) and self._process.status() is None and time.monotonic() - self._armed_at < seconds

    def touch(self) -> None:
        """The time of an armed one begins anew."""
        self._armed_at = time.monotonic()

    def look(self) -> None:
        """Starts it again where it has ended."""
        with self._lock:
            if self._closed or self._process is None:
                return
            status, point = self._process.status(), self._armed
            if status is None:
                self._look_at_sleep(point)
                return
            if self._not_before == 0.0:
                self._not_before = time.monotonic() + AGAIN_SECONDS
                if status == AT_FAULT_POINT and point:
                    self._on_fault(self, point.split(":")[0], "died")
                elif status not in self._expected and not (status == 1 and self._without_store):
                    self._on_problem(f"{self.name} ended by itself with status {status}:\n{self._process.last_lines()}")
            if time.monotonic() >= self._not_before:
                self._not_before = 0.0
                self.start()

    def kill(self) -> bool:
        """kill -9. False where it had ended before."""
        with self._lock:
            if self._process.status() is not None:
                return False
            self._expected.add(KILLED)
            self._process.kill()
            return True

    def freeze(self) -> Callable[[], None]:
        """SIGSTOP. Returns what wakes it, if it is still the same process."""
        with self._lock:
            process = self._process
            self._frozen += 1
            process.signal(signal.SIGSTOP)

        def wake() -> None:
            with self._lock:
                self._frozen -= 1
                process.signal(signal.SIGCONT)

        return wake

    @contextmanager
    def without_store(self) -> Iterator[None]:
        """Meanwhile it may end with an error where it starts: it says that it cannot open its store."""
        self._without_store += 1
        try:
            yield
        finally:
            # One that ended just before is looked at a moment later.
            threading.Timer(STORE_SLACK_SECONDS, self._has_store_again).start()

    def _has_store_again(self) -> None:
        self._without_store -= 1

    def limit_files(self) -> Callable[[], None]:
        """No file of the process may grow from now on. Returns what ends that."""
        with self._lock:
            process = self._process
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

        def free() -> None:
            if process.status() is None:
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        return free

    def arm(self, point: str, freeze_seconds: float = 0.0) -> None:
        """Restarts it in good order, to die at `point`, or to freeze there for so long."""
        with self._lock:
            if self._process.status() is not None:
                return
            self._expected |= {0, KILLED}
            self._terminate()
            if self._process.status() == AT_FAULT_POINT:
                return  # It was armed before: look() sees to it.
            self.start(point, freeze_seconds)

    def end(self) -> None:
        """Ends one that still waits for its fault point, in good order: that may be what leads there."""
        with self._lock:
            if self._closed or not self._armed or self._freeze_seconds or self._process.status() is not None:
                return
            self._closed = True
            self._terminate()
            if self._process.status() == AT_FAULT_POINT:
                self._on_fault(self, self._armed.split(":")[0], "died")

    def _terminate(self) -> None:
        self._process.signal(signal.SIGCONT)
        self._process.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self._process.status() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if self._process.status() is None:
            self._on_problem(f"{self.name} did not end within {STOP_SECONDS:.0f} s of SIGTERM")
            self._process.kill()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()


    def _look_at_sleep(self, point: str) -> None:
        """It may have frozen itself, and is woken when the time has come."""
        if self._freeze_seconds and not self._frozen and self._stands_still():
            self._wake_at = time.monotonic() + self._freeze_seconds
            self._freeze_seconds, self._armed = 0.0, ""
            self._on_fault(self, point.split(":")[0], "froze")
        if time.monotonic() >= self._wake_at:
            self._wake_at = float("inf")
            self._process.signal(signal.SIGCONT)

    def _stands_still(self) -> bool:
        try:
            return Path(f"/proc/{self._process.pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()[0] == "T"
        except (OSError, IndexError):
            return False


class Supervisor:
    """A thread that looks at all services of a round."""

    def __init__(self, services: list[Service]):
        self._services = services
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        for service in self._services:
            service.close()

    def _run(self) -> None:
        while not self._end.wait(LOOK_SECONDS):
            for service in self._services:
                service.look()
