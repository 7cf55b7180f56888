"""A watcher of a rollout that goes on where it was, whatever happens to the controller, the network or itself."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from pathlib import Path

AGAIN_SECONDS = 0.3


class Watcher:
    """`curlew rollout watch -o json`, again and again, each time from the last event on. close() ends it."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path):
        self._command = command
        self._environment = environment
        self._log = log
        self._lock = threading.Lock()
        self._events: list[dict] = []
        self._process: subprocess.Popen | None = None
        self._closed = False
        self.garbled: list[str] = []
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    def events(self) -> list[dict]:
        """All that was seen, in the order in which it came."""
        with self._lock:
            return list(self._events)

    def kill(self) -> bool:
        """kill -9 of the command; it is started again."""
        with self._lock:
            process = self._process
        if process is None or process.poll() is not None:
            return False
        process.send_signal(signal.SIGKILL)
        return True

    def wait_for(self, number: int, seconds: float) -> bool:
        """Whether the event of that number came within so many seconds."""
        deadline = time.monotonic() + seconds
        while self._last() < number:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def close(self) -> None:
        self._closed = True
        self.kill()
        self._thread.join()

    def _last(self) -> int:
        with self._lock:
            return int(self._events[-1].get("number", 0)) if self._events else 0

    def _run(self) -> None:
        while not self._closed:
            with open(self._log, "ab") as errors:
                process = subprocess.Popen([*self._command, "-o", "json", "--after", str(self._last())],
                                           env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                           stderr=errors, text=True)
            with self._lock:
                self._process = process
            if self._closed:
                process.kill()
            for line in process.stdout:
                self._take(line)
            process.wait()
            if not self._closed:
                time.sleep(AGAIN_SECONDS)

    def _take(self, line: str) -> None:
        try:
            message = json.loads(line)
        except json.JSONDecodeError:
            if line.endswith("\n"):  # Else it was killed in the middle of a line.
                self.garbled.append(line)
            return
        if "event" in message:
            with self._lock:
                self._events.append(message["event"])
