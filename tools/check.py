#!/usr/bin/python3
"""Rules of the house that no compiler checks. Run by ./dev check; prints each breach and exits 1."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What each folder may include, besides itself, `proto` and the system's headers. Arrows point one way.
COMMON_PURE = {
    "common/base": set(),
    "common/sql": {"common/base"},
    "common/schema": {"common/base", "common/sql"},
    "common/lint": {"common/base", "common/sql", "common/schema"},
    "common/plan": {"common/base", "common/sql", "common/schema"},
    "common/operations": {"common/base", "common/sql", "common/schema", "common/plan", "common/lint"},
    "common/compiler": {"common/base", "common/sql", "common/schema", "common/plan", "common/operations"},
    "common/from_sql": {"common/base", "common/sql", "common/schema", "common/lint", "common/plan", "common/operations",
                        "common/compiler"},
}
ARROWS = {
    **COMMON_PURE,
    "common/pg": {"common/base", "common/sql", "common/schema", "common/lint"},
    "common/rpc": {"common/base", "common/pki"},
    "common/metrics": {"common/base"},
    "common/pki": {"common/base"},
    "common/signing": {"common/base", "common/pki"},
    "migrations": set(),
    "controller/rollout": {"common/base", "common/plan"},
    "controller/checks": {"common/base"},
    "controller/notify": {"common/base"},
    "controller/access": {"common/base", "common/pki"},
    "controller/limits": {"common/base", "common/rpc"},
    "controller/audit": {"common/base", "common/pki", "common/signing"},
    "controller/store": {"common/base", "common/pg", "migrations"},
    "controller/dispatch": {"common/base", "common/compiler", "common/plan", "common/schema", "controller/checks", "controller/rollout",
                            "controller/store"},
    "controller/session": {"common/base", "common/rpc", "controller/access", "controller/dispatch", "controller/limits"},
    "controller/service": {"common/base", "common/rpc", "common/compiler", "common/plan", "common/schema", "common/signing", "controller/access", "controller/audit", "controller/dispatch", "controller/limits",
                           "controller/rollout", "controller/store"},
    "controller/web": {"common/base", "common/metrics", "controller/dispatch", "controller/rollout", "controller/store"},
    "controller": {"common", "controller"},
    "agent/journal": {"common/base", "common/pg", "common/sql", "migrations", "agent/guard"},
    "agent/guard": {"common/base", "common/pg", "common/sql"},
    "agent/backup": {"common/base", "common/sql", "agent/guard"},
    "agent/bootstrap": {"common/base", "common/sql"},
    "agent/checks": {"common/base", "common/pg", "common/sql", "agent/guard"},
    "agent/preflight": {"common/base", "common/pg", "common/sql", "agent/attempt", "agent/backup", "agent/checks", "agent/guard",
                        "agent/journal"},
    "agent/attempt": {"common/base", "common/pg", "common/sql", "agent/journal", "agent/guard"},
    "agent/backfill": {"common/base", "common/pg", "common/sql", "agent/attempt", "agent/journal", "agent/guard"},
    "agent/executor": {"common/base", "common/pg", "common/sql", "agent/attempt", "agent/backfill", "agent/backup", "agent/journal",
                       "agent/guard"},
    "agent/verify": {"common/base", "common/compiler", "common/pg", "common/plan", "common/schema", "common/signing", "agent/journal"},
    "agent/session": {"common/base", "common/pg", "common/rpc", "common/sql", "agent/attempt", "agent/backup", "agent/checks",
                      "agent/journal", "agent/executor", "agent/guard", "agent/preflight", "agent/verify"},
    "agent": {"common/base", "common/metrics", "common/pg", "common/pki", "common/rpc", "common/signing", "common/sql", "agent"},
    "cli": {"common"},
}
# Headers of libraries that only one folder may see.
FENCED = {"pqxx/": {"common/pg"}, "SQLiteCpp/": {"controller/store", "tests"}, "pg_query": {"common/sql", "common/lint", "common/from_sql", "common/operations"},
          "prometheus/": {"common/metrics", "controller/web", "agent/metrics", "tests"},
          "httplib.h": {"controller/checks", "controller/notify", "tests"},
          "CivetServer.h": {"common/metrics"}, "civetweb.h": {"common/metrics"},
          "grpcpp/": {"common/rpc", "controller", "agent/session", "agent", "cli", "tests"},
          "spdlog/": {"common/base", "common/rpc", "controller", "agent", "cli", "tests"}}
# controller/rollout is pure: none of these.
PURE = {"controller/rollout": ("grpcpp/", "spdlog/", "pqxx/", "SQLiteCpp/", "<thread>", "<mutex>", "absl/synchronization",
                               "absl/time/clock.h")}
for folder in COMMON_PURE:
    PURE[folder] = ("grpcpp/", "spdlog/", "pqxx/", "SQLiteCpp/", "<thread>", "absl/time/clock.h")
PURE["common/base"] = ("grpcpp/", "pqxx/", "SQLiteCpp/")

problems: list[str] = []


def files(*patterns: str) -> list[str]:
    """Files of the project, tracked or new, that match."""
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns], cwd=ROOT,
                         capture_output=True, text=True, check=True)
    return [f for f in out.stdout.splitlines() if (ROOT / f).exists()]


def folder_of(path: str) -> str:
    """The folder of the arrows' table that a file belongs to."""
    parts = path.split("/")
    for length in (2, 1):
        name = "/".join(parts[:length])
        if len(parts) > length and name in ARROWS:
            return name
    return parts[0]


def allowed(folder: str, included: str) -> bool:
    """Whether `folder` may include a header of folder `included`."""
    if folder == included:
        return True
    return any(included == a or included.startswith(a + "/") for a in ARROWS.get(folder, set()))


def check_arrows() -> None:
    """Includes go along the arrows only."""
    for path in files("*.cc", "*.h"):
        folder = folder_of(path)
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
            if not match:
                continue
            header = match.group(1)
            for fence, inside in FENCED.items():
                if header.startswith(fence) and not any(path.startswith((f + "/", f + ".")) for f in inside):
                    problems.append(f"{path}:{number}: {header} belongs to {', '.join(sorted(inside))} alone")
            for fence in PURE.get(folder, ()):
                if header.startswith(fence.strip("<>")) and (not fence.startswith("<") or "<" in line):
                    problems.append(f"{path}:{number}: {folder} is pure and may not include {header}")
            if folder == "tests" or not (ROOT / header).exists():
                continue
            included = folder_of(header)
            if not allowed(folder, included):
                problems.append(f"{path}:{number}: against the arrows: {folder} may not include {header}")


def check_protos() -> None:
    """Every message, field, enum value, service and method has a comment; names are in the usual case."""
    for path in files("proto/**/*.proto"):
        lines = (ROOT / path).read_text().splitlines()
        for number, line in enumerate(lines, 1):
            text = line.strip()
            declares = re.match(r"(message|enum|service|rpc|oneof)\s+(\w+)", text)
            field = re.match(r"(?:repeated\s+|optional\s+)?(?:map<[^>]+>|[\w.]+)\s+(\w+)\s*=\s*\d+", text)
            value = re.match(r"([A-Z][A-Z0-9_]*)\s*=\s*\d+", text)
            if not (declares or field or value) or text.startswith(("syntax", "package", "import", "option ")):
                continue
            if number < 2 or not lines[number - 2].strip().startswith("//"):
                problems.append(f"{path}:{number}: no comment above: {text}")
            if field and not declares and not value and not re.fullmatch(r"[a-z][a-z0-9_]*", field.group(1)):
                problems.append(f"{path}:{number}: field names are lower_snake_case: {field.group(1)}")


def check_headers() -> None:
    """Include guards name the path."""
    for path in files("*.h"):
        guard = "CURLEW_" + re.sub(r"[^A-Z0-9]", "_", path.upper()) + "_"
        text = (ROOT / path).read_text()
        if f"#ifndef {guard}\n#define {guard}\n" not in text:
            problems.append(f"{path}:1: the include guard is not {guard}")


def check_links() -> None:
    """Relative links of the documents lead somewhere."""
    for path in files("*.md"):
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            for link in re.findall(r"\]\(([^)#\s]+)", line):
                if "://" not in link and not ((ROOT / path).parent / link).exists():
                    problems.append(f"{path}:{number}: dead link: {link}")


def check_named_tests() -> None:
    """A test that a document names as its proof exists: `SuiteTest.NameOfTheTest`, `SuiteTest.*`, or the path of a file."""
    tests: set[str] = set()
    for path in files("tests/**/*.cc", "tests/**/*.h"):
        tests.update(f"{suite}.{name}" for suite, name in
                     re.findall(r"^(?:TYPED_)?TEST(?:_[FP])?\((\w+),\s*(\w+)\)", (ROOT / path).read_text(), re.MULTILINE))
    suites = {test.split(".")[0] for test in tests}
    for path in files("docs/**/*.md", "*.md"):
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            for suite, name in re.findall(r"`(\w+Test)\.(\w+|\*)`", line):
                if f"{suite}.{name}" not in tests and not (name == "*" and suite in suites):
                    problems.append(f"{path}:{number}: there is no test {suite}.{name}")
            for named in re.findall(r"`((?:tests|bench|tools)/[\w/.-]+\.\w+)`", line):
                if not (ROOT / named).exists():
                    problems.append(f"{path}:{number}: there is no file {named}")


def main() -> int:
    """Runs all checks."""
    for check in (check_arrows, check_protos, check_headers, check_links, check_named_tests):
        check()
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
