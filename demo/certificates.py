"""Real certificates, made by `curlew pki` as its users would."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Certificates:
    """A CA in a folder of its own, and what it has issued."""

    def __init__(self, program: Path, folder: Path):
        self._program = program
        self._folder = folder
        self._run("init")

    def controller(self) -> list[str]:
        """The flags of a controller on this machine."""
        return self._flags(self._issue("controller", "--dns", "localhost", "--ip", "127.0.0.1"))

    def agent(self, name: str) -> list[str]:
        """The flags of an agent of that name."""
        return self._flags(self._issue("agent", name))

    def user(self, name: str) -> dict[str, str]:
        """The environment of a person."""
        files = self._issue("user", name)
        return {"CURLEW_TLS_CERT": str(files / "tls.crt"), "CURLEW_TLS_KEY": str(files / "tls.key"),
                "CURLEW_TLS_CA": str(files / "ca.crt")}

    def _issue(self, party: str, *arguments: str) -> Path:
        self._run("issue", party, *arguments)
        return self._folder / (party if party == "controller" else arguments[0])

    @staticmethod
    def _flags(files: Path) -> list[str]:
        return ["--tls-cert", str(files / "tls.crt"), "--tls-key", str(files / "tls.key"), "--tls-ca", str(files / "ca.crt")]

    def _run(self, verb: str, *arguments: str) -> None:
        subprocess.run([str(self._program), "pki", verb, *arguments, "--dir", str(self._folder)], check=True,
                       stdout=subprocess.DEVNULL)
