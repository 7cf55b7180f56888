"""The chart, rendered by helm, and what there is to ask of the objects that come out of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import yaml
except ImportError:
    yaml = None

REPOSITORY = Path(__file__).resolve().parent.parent.parent
CHART = REPOSITORY / "helm" / "curlew"
TOOLS = Path(os.environ.get("CURLEW_TOOLS", Path.home() / ".cache" / "curlew-tools")) / "bin"
NAMESPACE = "databases"
RELEASE = "curlew"
SKIPPED = 77  # ctest knows it (SKIP_RETURN_CODE).


def skip(reason: str) -> None:
    """Ends the test as one that was not run."""
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def tool(name: str) -> Path | None:
    """A program that ./dev setup --kubernetes has installed, or that is on the path; None where it is not there."""
    if (TOOLS / name).exists():
        return TOOLS / name
    found = shutil.which(name)
    return Path(found) if found else None


def need(*names: str) -> None:
    """Skips the test where a tool, or the Python package for YAML, is not there."""
    if yaml is None:
        skip("Python has no yaml; ./dev setup --kubernetes installs it")
    for name in names:
        if tool(name) is None:
            skip(f"{name} is not here; ./dev setup --kubernetes installs it")


class Refused(RuntimeError):
    """Helm did not render; the message is what it said."""


def helm(*arguments: str, text: str | None = None) -> str:
    """Runs helm; raises Refused with what it said where it fails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))}
    done = subprocess.run([str(tool("helm")), *arguments], input=text, text=True, capture_output=True, env=clean,
                          check=False)
    if done.returncode != 0:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


def render(*files: Path, values: dict | None = None, chart: Path = CHART, release: str = RELEASE,
           options: tuple[str, ...] = ()) -> str:
    """What `helm install` would send, as text."""
    arguments = ["template", release, str(chart), "--namespace", NAMESPACE, *options]
    for file in files:
        arguments += ["--values", str(file)]
    if values is not None:
        return helm(*arguments, "--values", "-", text=yaml.safe_dump(values))
    return helm(*arguments)


def objects(text: str) -> list[dict]:
    """The objects of a manifest."""
    return [document for document in yaml.safe_load_all(text) if document]


def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text()) or {}


def of_kind(kind: str, found: list[dict]) -> list[dict]:
    return [thing for thing in found if thing["kind"] == kind]


def named(kind: str, name: str, found: list[dict]) -> dict:
    """The object with this kind and name; KeyError where there is none."""
    for thing in of_kind(kind, found):
        if thing["metadata"]["name"] == name:
            return thing
    raise KeyError(f"no {kind} {name}")


def pod_of(thing: dict) -> dict | None:
    """The pod that an object is, or its pod template (metadata and spec); None for others."""
    if thing["kind"] == "Pod":
        return thing
    if thing["kind"] in ("Deployment", "StatefulSet"):
        return thing["spec"]["template"]
    return None


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether a selector by labels takes an object with these."""
    return selector.items() <= labels.items()
