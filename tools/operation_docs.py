#!/usr/bin/python3
"""Writes the table of fields on top of each docs/operations/<operation>.md from plan.proto's comments.

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
    for match in re.finditer(r"((?:^//[^\n]*\n)+)^message (\w+) \{\n(.*?)^\}", proto, re.M | re.S):
        comment = " ".join(line.strip("/ ") for line in match.group(1).splitlines())
        fields = []
        for f in re.finditer(r"((?:^ +//.*\n)+) +((?:repeated )?[\w.]+) (\w+) = \d+", match.group(3), re.M):
            text = " ".join(line.strip().lstrip("/").strip() for line in f.group(1).splitlines())
            fields.append((f.group(3), f.group(2), text))
        found[match.group(2)] = (comment, fields)
    return found


def table(name: str, proto: dict) -> str:
    """The generated part of one page."""
    message = "".join(word.capitalize() for word in name.split("_"))
    comment, fields = proto[message]
    lines = [BEGIN, "", comment, "", "| field | type | meaning |", "|---|---|---|"]
    lines += [f"| `{field}` | {kind.replace('repeated ', 'list of ')} | {text} |" for field, kind, text in fields]
    return "\n".join(lines + ["", END])


def main() -> int:
    """Updates or checks all pages."""
    text = (ROOT / "proto/curlew/v1/plan.proto").read_text()
    proto = messages(text)
    oneof = re.search(r"oneof op \{\n(.*?)\n  \}", text, re.S).group(1)
    stale = []
    for name in re.findall(r"^ +\w+ (\w+) = \d+;", oneof, re.M):
        page = ROOT / f"docs/operations/{name}.md"
        old = page.read_text() if page.exists() else f"# {name}\n\n{BEGIN}\n{END}\n"
        new = re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: table(name, proto), old, flags=re.S)
        if new != old:
            stale.append(str(page.relative_to(ROOT)))
            if "--check" not in sys.argv:
                page.parent.mkdir(parents=True, exist_ok=True)
                page.write_text(new)
    for page in stale:
        print(f"{page}: {'is not up to date: run tools/operation_docs.py' if '--check' in sys.argv else 'written'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
