"""Processes of the demo that run beside it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path


class ProcessError(RuntimeError):
    """A process did not do what it should; the message ends with the end of its log."""


class Process:
    """A program in a session of its own (Ctrl-C on the terminal does not reach it), with its output in a file."""

    def __init__(self, name: str, command: list[str], log: Path, environment: dict[str, str] | None = None):
        self.name = name
        self.log = log
        self.command = command
        with open(log, "ab") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                             stderr=subprocess.STDOUT, start_new_session=True,
                                             env=os.environ | (environment or {}))

    @property
    def pid(self) -> int:
        return self._process.pid

    def status(self) -> int | None:
        """None while it runs; else its exit status, negative where a signal ended it."""
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Nothing happens where it has ended."""
        self._process.send_signal(number)

    def check(self) -> None:
        """Raises ProcessError where it has ended by itself."""
        status = self._process.poll()
        if status is not None:
            raise ProcessError(f"{self.name} ended by itself with status {status}:\n{self.last_lines()}")

    def stop(self, seconds: float = 15) -> None:
        """Asks it to end and waits; raises ProcessError where it does not, or ends badly."""
        self.check()
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise ProcessError(f"{self.name} did not end within {seconds:.0f} s of SIGTERM:\n"
                               f"{self.last_lines()}") from error
        if status != 0:
            raise ProcessError(f"{self.name} ended with status {status} after SIGTERM:\n{self.last_lines()}")

    def kill(self) -> None:
        """Ends it and all that it started, whatever it is at."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def last_lines(self, count: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])
