"""What a benchmark ran on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from cluster import postgres_bin
from server import REPOSITORY, SETTINGS


def describe(binaries: Path) -> dict[str, str]:
    """Names and values for people."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1)) / 1024 ** 2
    settings = ", ".join(f"{name}={value}" for name, value in SETTINGS.items() if name != "log_timezone")
    return {
        "cpu": f"{os.cpu_count()} x {cpu.group(1).strip() if cpu else platform.machine()}",
        "memory": f"{memory:.0f} GiB",
        "kernel": platform.release(),
        "postgres": _output([str(postgres_bin() / "postgres"), "--version"]),
        "settings": f"{settings}; all else as PostgreSQL has it (fsync, full_page_writes, synchronous_commit, "
                    "autovacuum on); of the agent's statements those from 1 ms on are logged",
        "commit": _output(["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]),
        "agent": _output([str(binaries / "curlew-agent"), "--version"]),
    }


def load_average() -> float:
    """Processes that wanted to run in the last minute: well above 0 says that the machine is not quiet."""
    return os.getloadavg()[0]


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
