#!/usr/bin/python3
"""Writes helm/curlew/README.md: every value with its type, default and meaning, from values.yaml, where a comment that
begins with "# --" stands before each, and what an entry of `agents` says, from values.schema.json.

With --check nothing is written; the exit status is 1 where the page is not up to date. A value without a meaning is an
error.
"""

import json
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CHART = ROOT / "helm" / "curlew"

HEAD = """# The chart of Curlew

<!-- Made by tools/kubernetes/values_readme.py from values.yaml and values.schema.json. -->

Installs a controller, and an agent for each database, on Kubernetes {kube_version}.

    helm install curlew helm/curlew -f values.yaml

[docs/kubernetes.md](../../docs/kubernetes.md) tells how to begin, and [examples/kubernetes](../../examples/kubernetes/README.md)
has values to begin with. A value that does not exist, or that contradicts another, is refused with what to do.
"""


def comments(text: str) -> dict[tuple[str, ...], str]:
    """Path of a value -> what the comment before it says, for each value with one."""
    found: dict[tuple[str, ...], str] = {}
    path: list[tuple[int, str]] = []  # (indentation, key)
    comment: list[str] | None = None
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped[5:]]
        elif stripped.startswith("#") and comment is not None:
            comment.append(stripped.lstrip("# "))
        elif match := re.match(r"( *)([A-Za-z][A-Za-z0-9]*):", line):
            indentation = len(match.group(1))
            path = [entry for entry in path if entry[0] < indentation] + [(indentation, match.group(2))]
            if comment:
                found[tuple(key for _, key in path)] = " ".join(comment)
            comment = None
        else:
            comment = None
    return found


def type_of(value: object) -> str:
    kinds = {bool: "boolean", int: "integer", str: "string", list: "list", dict: "object"}
    return kinds[type(value)]


def rows(values: dict, described: dict[tuple[str, ...], str], path: tuple[str, ...] = ()) -> list[str]:
    """A row for each value that has a meaning; what is within such a value has none of its own."""
    lines = []
    for key, value in values.items():
        here = (*path, key)
        if here in described:
            default = json.dumps(value, ensure_ascii=False)
            lines.append(f"| `{'.'.join(here)}` | {type_of(value)} | `{default}` | {described[here]} |")
        elif isinstance(value, dict) and value:
            lines += rows(value, described, here)
        else:
            sys.exit(f"values.yaml: {'.'.join(here)} has no comment that begins with \"# --\"")
    return lines


def entry_rows(schema: dict, defaults: dict) -> list[str]:
    """A row for each key that an entry of `agents` has and agentDefaults has not."""
    agent = schema["definitions"]["agent"]

    def within(properties: dict, required: list[str], path: str) -> list[str]:
        lines = []
        for key, value in properties.items():
            if not path and key in defaults:
                continue
            if "properties" in value:
                lines += within(value["properties"], value.get("required", []), f"{path}{key}.")
            else:
                said = value["description"] + ("" if key not in required else ". Required")
                lines.append(f"| `{path}{key}` | {said} |")
        return lines

    return within(agent["properties"], agent["required"], "")


def page() -> str:
    text = (CHART / "values.yaml").read_text()
    values, schema = yaml.safe_load(text), json.loads((CHART / "values.schema.json").read_text())
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    kube_version = chart["kubeVersion"].removeprefix(">=").removesuffix(".0-0") + " or newer"
    lines = [HEAD.format(kube_version=kube_version), "## Values", "",
             "| value | type | default | what it is |", "|---|---|---|---|", *rows(values, comments(text)), "",
             "## An entry of agents", "",
             "| key | what it is |", "|---|---|", *entry_rows(schema, values["agentDefaults"]), "",
             "And every key of `agentDefaults`, over what stands there: maps key by key, lists as a whole."]
    return "\n".join(lines) + "\n"


def main() -> int:
    path = CHART / "README.md"
    text = page()
    if "--check" not in sys.argv[1:]:
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        print("helm/curlew/README.md is not up to date: tools/kubernetes/values_readme.py writes it")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
