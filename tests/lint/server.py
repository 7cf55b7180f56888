"""The PostgreSQL server under the measurements: how to reach it, the template with the fixture, fresh databases."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import psycopg2

from rows import FIXTURE, Row, setup_statements

_ROLES = ("app_owner", "app_ro")
# Advisory locks: one process makes the template; one at a time has the database that some rows name.
_SETTING_UP = 4_711_001
_NAMED_DATABASE = 4_711_002


class ServerError(RuntimeError):
    """The server is not as the measurements need it; the message says what to do."""


def conninfo(argument: str | None) -> str:
    """The superuser's conninfo: given, or from CURLEW_LINT_PG, or from the file that CURLEW_TEST_CLUSTER names."""
    if argument:
        return argument
    if "CURLEW_LINT_PG" in os.environ:
        return os.environ["CURLEW_LINT_PG"]
    path = os.environ.get("CURLEW_TEST_CLUSTER", "")
    if path:
        _hold(path)
    if not path or not Path(path).exists():
        raise ServerError("no server: give --server CONNINFO, or set CURLEW_TEST_CLUSTER to the file that "
                          "tests/support/cluster.sh start FILE has written")
    match = re.search(r"^CURLEW_TEST_PG=(.*)$", Path(path).read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise ServerError(f"{path} has no line CURLEW_TEST_PG=")
    return match.group(1)


def _hold(cluster: str) -> None:
    """Until this process ends: cluster.sh does not stop a cluster that is in use."""
    users = os.open(cluster + ".users", os.O_CREAT | os.O_RDWR, 0o666)
    fcntl.flock(users, fcntl.LOCK_SH)


def connect(dsn: str, **options: Any) -> Any:
    """A session that is in no transaction unless told to be."""
    connection = psycopg2.connect(dsn, **options)
    if not options.get("async_"):
        connection.autocommit = True
    return connection


def query(connection: Any, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """Rows of one query; none for a statement without a result."""
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments or None)
        return cursor.fetchall() if cursor.description else []


class Server:
    """A cluster with the template in it. Not thread-safe: one for each process."""

    _numbers = itertools.count()

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.admin = connect(dsn)
        digest = hashlib.sha256(FIXTURE.read_bytes()).hexdigest()[:10]
        self.template = f"curlew_lint_{digest}"
        self._make_template()

    def dsn_of(self, database: str) -> str:
        """The conninfo of another database of this server."""
        return psycopg2.extensions.make_dsn(self.dsn, dbname=database)

    def _make_template(self) -> None:
        query(self.admin, "SELECT pg_advisory_lock(%s)", _SETTING_UP)
        try:
            for role in _ROLES:
                if not query(self.admin, "SELECT 1 FROM pg_roles WHERE rolname = %s", role):
                    query(self.admin, f"CREATE ROLE {role}")
            if not query(self.admin, "SELECT 1 FROM pg_tablespace WHERE spcname = 'ts1'"):
                query(self.admin, "SET allow_in_place_tablespaces = on")
                query(self.admin, "CREATE TABLESPACE ts1 LOCATION ''")
            if query(self.admin, "SELECT 1 FROM pg_database WHERE datname = %s", self.template):
                return
            building = self.template + "_building"
            self.drop(building)
            query(self.admin, f"CREATE DATABASE {building}")
            connection = connect(self.dsn_of(building))
            query(connection, FIXTURE.read_text(encoding="utf-8"))
            query(connection, "SELECT pg_stat_force_next_flush()")
            query(connection, "SELECT pg_stat_reset()")  # else autovacuum sees work, and VACUUM then none
            connection.close()
            query(self.admin, f"ALTER DATABASE {building} RENAME TO {self.template}")
        finally:
            query(self.admin, "SELECT pg_advisory_unlock(%s)", _SETTING_UP)

    def create(self, row: Row) -> str:
        """A copy of the template after the row's setup; its name."""
        name = f"curlew_lint_{os.getpid()}_{next(self._numbers)}"
        if "case_db" in row["sql"] + str(row.get("setup", "")):
            name = "case_db"
            query(self.admin, "SELECT pg_advisory_lock(%s)", _NAMED_DATABASE)
            query(self.admin, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        query(self.admin, f"CREATE DATABASE {name} TEMPLATE {self.template}")
        try:
            if setup_statements(row):
                connection = connect(self.dsn_of(name))
                try:
                    for statement in setup_statements(row):
                        query(connection, statement)
                finally:
                    connection.close()
        except psycopg2.Error:
            self.drop(name)
            raise
        return name

    def drop(self, database: str) -> None:
        """Drops a database of ours, with whoever is still in it."""
        query(self.admin, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        if database == "case_db":
            query(self.admin, "SELECT pg_advisory_unlock(%s)", _NAMED_DATABASE)

    @contextmanager
    def database(self, row: Row) -> Iterator[str]:
        """A fresh database for a row: the conninfo; dropped afterwards."""
        name = self.create(row)
        try:
            yield self.dsn_of(name)
        finally:
            self.drop(name)
