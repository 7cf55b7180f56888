"""The private cluster of a benchmark: templates of tables, fresh copies of them, and what can be read off a copy."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "demo"))

import psycopg2  # noqa: E402

from cluster import DATABASE, SUPERUSER, Cluster  # noqa: E402
from tables import NEW_COLUMN, UP, Table  # noqa: E402

# All else is as PostgreSQL has it: fsync, full_page_writes, synchronous_commit and autovacuum are on.
SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "log_timezone": "'UTC'"}
TREE = "SELECT relid FROM pg_partition_tree('t') UNION SELECT 't'::regclass"


@dataclass(frozen=True)
class Sizes:
    """Bytes on disk."""

    heap: int  # TOAST too.
    indexes: int


class Server:
    """Owns a cluster and its folder. close() removes both. Statements of the agent's role that take `logged_from_ms`
    are written into the server's log: a line or so for each batch. Those of the plain ways are timed by the client."""

    def __init__(self, logged_from_ms: int):
        self.logged_from_ms = logged_from_ms
        self.root = Path(tempfile.mkdtemp(prefix="curlew-bench-", dir="/var/tmp"))
        self.root.chmod(0o711)
        self.cluster = Cluster("bench", self.root, settings=SETTINGS)

    def start(self) -> None:
        """Makes the cluster and the roles."""
        self.cluster.create()
        self.cluster.start()
        passwords = self.cluster.passwords
        self.cluster.psql(
            f"CREATE ROLE curlew LOGIN PASSWORD '{passwords['curlew']}'; GRANT pg_monitor TO curlew;"
            f"ALTER ROLE curlew SET log_min_duration_statement = {self.logged_from_ms};"
            f"CREATE ROLE crm_app LOGIN PASSWORD '{passwords['crm_app']}'", database="postgres")

    def close(self) -> None:
        self.cluster.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def make_template(self, name: str, table: Table, rows: int) -> None:
        """A database to copy, with the table in it; replaces one of that name."""
        self.drop(name)
        self.cluster.psql(f"CREATE DATABASE {name} OWNER curlew", database="postgres")
        self.cluster.psql(f"CREATE EXTENSION pg_prewarm; SET ROLE curlew; {table.script.format(rows=rows)}"
                          "GRANT SELECT, INSERT, UPDATE, DELETE ON t TO crm_app; RESET ROLE;"
                          "VACUUM (FREEZE, ANALYZE) t", database=name)

    def drop(self, name: str) -> None:
        self.cluster.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", database="postgres")

    def fresh(self, template: str) -> None:
        """The database anew, from the template, with nothing of the one before in flight and the table in memory."""
        self.drop(DATABASE)
        self.cluster.psql(f"CREATE DATABASE {DATABASE} TEMPLATE {template} OWNER curlew STRATEGY file_copy",
                          database="postgres")
        self.cluster.psql("SELECT pg_prewarm(oid) FROM pg_class WHERE relkind IN ('r', 'i', 't') AND (oid IN "
                          f"({TREE}) OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid IN ({TREE})))")
        self.cluster.psql("CHECKPOINT")

    def connect(self, database: str = DATABASE):
        """A superuser's connection, each statement a transaction of its own."""
        connection = psycopg2.connect(self.cluster.conninfo(SUPERUSER).replace(f"dbname={DATABASE}",
                                                                               f"dbname={database}"))
        connection.autocommit = True
        return connection

    def query(self, sql: str, database: str = DATABASE) -> list[tuple]:
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def value(self, sql: str, database: str = DATABASE):
        return self.query(sql, database)[0][0]

    def sizes(self) -> Sizes:
        heap, indexes = self.query(f"SELECT sum(pg_table_size(relid))::bigint, sum(pg_indexes_size(relid))::bigint"
                                   f" FROM ({TREE}) AS tree")[0]
        return Sizes(heap, indexes)

    def wal_position(self) -> int:
        return int(self.value("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"))

    def hot_share(self) -> float | None:
        """Share of HOT among the updates since the copy was made; None where there was none. Those of sessions that
        are still there may be missing."""
        updates, hot = self.query(f"SELECT sum(n_tup_upd), sum(n_tup_hot_upd) FROM pg_stat_user_tables"
                                  f" WHERE relid IN ({TREE})")[0]
        return float(hot / updates) if updates else None

    def contents(self, with_notes: bool) -> str:
        """A digest of all rows, the same however they are ordered; without what the load writes unless asked."""
        return self._digest(DATABASE, NEW_COLUMN, with_notes)

    def expected_contents(self, template: str, with_notes: bool) -> str:
        """The digest that every way must leave."""
        return self._digest(template, UP, with_notes)

    def _digest(self, database: str, value: str, with_notes: bool) -> str:
        notes = ", note" if with_notes else ""
        return str(self.query("SELECT count(*), sum(hashtextextended(ROW(id, tenant, phone"
                              f"{notes}, {value})::text, 0)::numeric) FROM t", database)[0])
