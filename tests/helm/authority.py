"""Certificates as Secrets, made the way the docs tell people to: by `curlew pki`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import yaml
from chart import NAMESPACE


class Authority:
    """A CA in a folder of its own."""

    def __init__(self, program: Path, folder: Path):
        self._program, self._folder = program, folder
        self.run("pki", "init", "--dir", str(folder))

    def run(self, *arguments: str) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CURLEW_")}
        done = subprocess.run([str(self._program), *arguments], text=True, capture_output=True, env=clean, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"curlew {' '.join(arguments)} ended with status {done.returncode}:\n{done.stdout}"
                               f"{done.stderr}")
        return done.stdout

    def issue(self, secret: str, kind: str, name: str = "", dns: tuple[str, ...] = ()) -> dict:
        """The Secret with a certificate, as a manifest that kubectl would apply."""
        arguments = ["pki", "issue", kind, *([name] if name else []), "--dir", str(self._folder),
                     "--kubernetes-secret", secret, "--namespace", NAMESPACE]
        for host in dns:
            arguments += ["--dns", host]
        manifest = yaml.safe_load(self.run(*arguments))
        assert manifest["kind"] == "Secret" and manifest["metadata"]["name"] == secret, manifest
        return manifest
