#!/usr/bin/python3
"""Writes docs/operations (the tables of fields on top of each page, and the list of all operations) and the table of
fields in docs/plans.md from plan.proto.

With --check nothing is written; the exit status is 1 where a page is not up to date.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- fields: made by tools/operation_docs.py -->", "<!-- end of fields -->"


def messages(proto: str) -> dict[str, tuple[str, list[tuple[str, str, str]]]]:
    """Name -> (comment, [(field, type, comment)]) for each message of the file."""
    found = {}
    for match in re.finditer(r"((?:^//[^\n]*\n)+)^message (\w+) \{(|\n.*?^)\}", proto, re.M | re.S):
        comment = " ".join(line.strip("/ ") for line in match.group(1).splitlines())
        fields = []
        for f in re.finditer(
            r"((?:^ +//.*\n)+) +(?:optional )?((?:repeated )?[\w.]+) (\w+) = \d+", match.group(3), re.M
        ):
            text = " ".join(line.strip().lstrip("/").strip() for line in f.group(1).splitlines())
            fields.append((f.group(3), f.group(2), text))
        found[match.group(2)] = (comment, fields)
    return found


def enums(proto: str) -> dict[str, list[str]]:
    """Name -> values as plans write them, for each enum of the file."""
    found = {}
    for match in re.finditer(r"^enum (\w+) \{\n(.*?)^\}", proto, re.M | re.S):
        values = re.findall(r"^ +(\w+) = [1-9]\d*;", match.group(2), re.M)
        prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", match.group(1)).upper() + "_"
        found[match.group(1)] = [value.removeprefix(prefix).lower() for value in values]
    return found


def rows(message: str, proto: dict, kinds: dict, elsewhere: dict[str, str] | None = None) -> list[str]:
    """The table of one message's fields, and those of the messages within it; those `elsewhere` have a page."""
    lines = ["| field | type | meaning |", "|---|---|---|"]
    within = []
    for field, kind, text in proto[message][1]:
        bare = kind.replace("repeated ", "")
        name = f"one of {', '.join(f'`{v}`' for v in kinds[bare])}" if bare in kinds else bare
        if elsewhere and bare in elsewhere:
            name = f"[{bare}]({elsewhere[bare]})"
        elif bare in proto and not proto[bare][1]:
            name = "`{}`"
        elif bare in proto:
            name = f"[{bare}](#{bare.lower()})"
            within.append(bare)
        elif bare == "google.protobuf.Duration":
            name = "duration"
        lines.append(f"| `{field}` | {'list of ' if kind != bare else ''}{name} | {text} |")
    for bare in dict.fromkeys(within):
        lines += ["", f"### {bare}", "", proto[bare][0], ""] + rows(bare, proto, kinds, elsewhere)
    return lines


def page_top(message: str, proto: dict, kinds: dict) -> str:
    """The generated part of one page."""
    return "\n".join([BEGIN, "", proto[message][0], ""] + rows(message, proto, kinds) + ["", END])


def overview(operations: list[tuple[str, str]], proto: dict) -> str:
    """The list of all operations."""
    lines = [
        "# Operations",
        "",
        "<!-- made by tools/operation_docs.py from proto/curlew/v1/plan.proto -->",
        "",
        f"{len(operations)} operations. Each has a page with what runs, which locks it takes and how it is undone; an",
        "example; the SQL that the example compiles to; and tests that put it through its whole life on a real server.",
        "",
        "| operation | what it does | example | compiles to | test |",
        "|---|---|---|---|---|",
    ]
    for message, name in sorted(operations, key=lambda operation: operation[1]):
        first = re.split(r"(?<=[.;:]) ", proto[message][0])[0].rstrip(".;:") + "."
        lines.append(
            f"| [{name}]({name}.md) | {first} | [yaml](../../examples/plans/{name}.yaml) "
            f"| [sql](../../tests/golden/{name}.txt) | [test](../../tests/common/operations/{name}_test.cc) |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Updates or checks all pages."""
    text = (ROOT / "proto/curlew/v1/plan.proto").read_text()
    proto, kinds = messages(text), enums(text)
    oneof = re.search(r"oneof op \{\n(.*?)\n  \}", text, re.S).group(1)
    operations = re.findall(r"^ +(\w+) (\w+) = \d+;", oneof, re.M)
    wanted = {ROOT / "docs/operations/README.md": overview(operations, proto)}
    for message, name in operations:
        page = ROOT / f"docs/operations/{name}.md"
        old = page.read_text() if page.exists() else f"# {name}\n\n{BEGIN}\n{END}\n"
        top = page_top(message, proto, kinds)
        wanted[page] = re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _, top=top: top, old, flags=re.S)
    page = ROOT / "docs/plans.md"
    fields = rows("Plan", proto, kinds, {"Operation": "operations/README.md"})
    top = "\n".join([BEGIN, "", *fields, "", END])
    wanted[page] = re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: top, page.read_text(), flags=re.S)
    stale = [page for page, new in wanted.items() if not page.exists() or page.read_text() != new]
    for page in stale:
        if "--check" not in sys.argv:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(wanted[page])
        what = "is not up to date: run tools/operation_docs.py" if "--check" in sys.argv else "written"
        print(f"{page.relative_to(ROOT)}: {what}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
