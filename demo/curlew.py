"""The `curlew` command line, as an operator's script would use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.4
CALL_SECONDS = 60.0
APPROVER = ("--actor", "bob")  # Somebody else than who starts.


class CurlewError(RuntimeError):
    """A command of `curlew` failed; the message holds all that it said."""


def word(value: str, prefix: str) -> str:
    """The word of an enum value: RUNNING of ROLLOUT_STATE_RUNNING."""
    return value.removeprefix(prefix + "_")


class Rollout:
    """A rollout as `curlew rollout show -o json` gave it: protobuf's JSON, in which zero values are left out."""

    def __init__(self, values: dict):
        self.values = values

    @property
    def state(self) -> str:
        return word(self.values.get("state", ""), "ROLLOUT_STATE")

    @property
    def last_event(self) -> int:
        return int(self.values.get("last_event", 0))

    def run(self, target: str) -> dict:
        return next((run for run in self.values.get("runs", []) if run["target"] == target), {})

    def run_state(self, target: str) -> str:
        return word(self.run(target).get("state", ""), "RUN_STATE")

    def stage_state(self, environment: str) -> str:
        stage = next(s for s in self.values["stages"] if s["environment"] == f"environments/{environment}")
        return word(stage.get("state", ""), "STAGE_STATE")

    def gates(self) -> list[str]:
        """The gates that wait for an approval."""
        return [waiting["gate"] for waiting in self.values.get("waiting", []) if waiting.get("gate")]

    def waits_for_gate(self, gate: str) -> bool:
        return gate in self.gates()

    def backfill_is_verified(self, target: str) -> bool:
        """Whether every step up to BACKFILL, its verification too, is done."""
        steps = self.run(target).get("steps", [])
        return bool(steps) and all(step.get("state") == "STEP_STATE_SUCCEEDED" for step in steps
                                   if step.get("phase") in ("PHASE_ADD", "PHASE_DUAL_WRITE", "PHASE_BACKFILL"))

    def changes_before_drop(self, target: str) -> bool:
        """Whether the plan has steps before DROP that leave something to undo."""
        return any(step.get("has_undo") for step in self.run(target).get("steps", [])
                   if step.get("phase") != "PHASE_DROP")

    def describe_failure(self) -> str:
        lines = [self.values.get("reason", "")]
        for run in self.values.get("runs", []):
            error = run.get("error")
            if error:
                lines += [f"{run['target']}: {error.get('message', '')}", error.get("hint", ""),
                          *error.get("row_keys", [])]
        return "\n".join(line for line in lines if line)


class Curlew:
    """Calls of one controller's operator, in plain text unless `identity` (Certificates.user) says who it is."""

    def __init__(self, program: Path, controller: str, folder: Path, identity: dict[str, str] | None = None):
        self.program = program
        self.folder = folder  # Where commands are run: paths of files are relative to it.
        self.environment = os.environ | {"CURLEW_CONTROLLER": controller} | (identity or {"CURLEW_INSECURE": "1"})

    def run(self, *arguments: str) -> str:
        """Runs `curlew arguments...` and returns its output."""
        command = [str(self.program), *arguments]
        try:
            done = subprocess.run(command, text=True, capture_output=True, env=self.environment, check=False,
                                  timeout=CALL_SECONDS, cwd=self.folder)
        except subprocess.TimeoutExpired as error:
            raise CurlewError(f"curlew {' '.join(arguments)} gave no answer for {CALL_SECONDS:.0f} s") from error
        if done.returncode != 0:
            raise CurlewError(f"curlew {' '.join(arguments)} ended with status {done.returncode}:\n"
                              f"{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *arguments: str) -> dict:
        return json.loads(self.run(*arguments, "-o", "json"))

    def approve(self, rollout: str, gate: str) -> str:
        """Approves a gate as somebody who has started nothing, where no certificate says who it is: whoever started
        the rollout may not."""
        return self.run(*APPROVER, "rollout", "approve", rollout, "--gate", gate)

    def show(self, rollout: str) -> Rollout:
        return Rollout(self.json("rollout", "show", rollout))

    def wait_until(self, rollout: str, reached: Callable[[Rollout], bool], seconds: float) -> Rollout:
        """Looks until `reached` holds. Raises CurlewError after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            seen = self.show(rollout)
            if reached(seen):
                return seen
            if time.monotonic() > deadline:
                raise CurlewError(f"{rollout} did not get on within {seconds:.0f} s; it is {seen.state}: "
                                  f"{json.dumps(seen.values.get('waiting', []))}\n{seen.describe_failure()}")
            time.sleep(POLL_SECONDS)

    def watch_until(self, rollout: str, reached: Callable[[Rollout], bool], seconds: float,
                    meanwhile: Callable[[Rollout], None] = lambda _: None, after_event: int = 0) -> Rollout:
        """`curlew rollout watch` in the foreground, on this terminal, from `after_event` on, until `reached` holds
        or the rollout has ended; `meanwhile` is called with every look. Raises CurlewError after `seconds`."""
        watch = subprocess.Popen([str(self.program), "rollout", "watch", rollout, "--until", "gate", "--after",
                                  str(after_event)], env=self.environment, stdin=subprocess.DEVNULL)

        def reached_or_ended(seen: Rollout) -> bool:
            meanwhile(seen)
            return reached(seen) or seen.state not in ("RUNNING", "ROLLING_BACK")

        try:
            return self.wait_until(rollout, reached_or_ended, seconds)
        finally:
            self._end_watch(watch)

    @staticmethod
    def _end_watch(watch: subprocess.Popen) -> None:
        try:
            watch.wait(5 * POLL_SECONDS)  # At a gate and at the rollout's end it ends by itself.
        except subprocess.TimeoutExpired:
            watch.send_signal(signal.SIGINT)
            try:
                watch.wait(5)
            except subprocess.TimeoutExpired:
                watch.kill()
                watch.wait()
