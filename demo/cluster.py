"""Private PostgreSQL clusters in a temporary folder: made, started, stopped, thrown away.

A cluster listens on 127.0.0.1 and on a socket in its own folder, with passwords that are drawn anew each time.
PostgreSQL refuses to run as root: where the caller is root, everything that belongs to the server is run as
`postgres` through runuser.
"""

from __future__ import annotations

import glob
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

DATABASE = "crm"
SUPERUSER = "postgres"
SERVER_USER = "postgres"
CRM_SQL = Path(__file__).with_name("crm.sql")

SETTINGS = {
    # What an ordinary small server has; fsync and synchronous_commit stay on, as in real life.
    "listen_addresses": "'127.0.0.1'",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "4GB",
    "log_lock_waits": "on",
    "log_line_prefix": "'%m [%p] %a '",
}

ROLES = """
CREATE ROLE crm_owner NOLOGIN;
CREATE ROLE crm_app LOGIN PASSWORD '{crm_app}';
CREATE ROLE curlew LOGIN PASSWORD '{curlew}';
GRANT crm_owner, pg_monitor TO curlew;
"""


class ClusterError(RuntimeError):
    """A command of a cluster failed; the message says which, and what it printed."""


def postgres_bin() -> Path:
    """Folder of the newest installed PostgreSQL server's programs."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(p.split("/")[4]))
    if found:
        return Path(found[-1]).parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise ClusterError("PostgreSQL's initdb was not found: install the package postgresql (./dev setup)")
    return Path(on_path).parent


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def as_server_user(command: list[str]) -> list[str]:
    """`command`, run as the server's user where the caller is root."""
    return ["runuser", "-u", SERVER_USER, "--", *command] if os.geteuid() == 0 else command


def run(command: list[str], **options) -> str:
    """Runs a command to its end and returns its output; raises ClusterError with all it printed."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(command)} failed with status {done.returncode}:\n{done.stdout}")
    return done.stdout


@dataclass
class Cluster:
    """One private cluster. Not thread-safe; each may be driven by a thread of its own."""

    name: str
    root: Path  # Folder of the whole demo; the cluster lives in root/name.
    port: int = field(default_factory=free_port)
    passwords: dict[str, str] = field(
        default_factory=lambda: {user: secrets.token_hex(12) for user in (SUPERUSER, "crm_app", "curlew")})
    settings: dict[str, str] = field(default_factory=dict)  # Beside and above SETTINGS, quoted as in the file.
    _closed: threading.Event = field(default_factory=threading.Event)

    @property
    def folder(self) -> Path:
        return self.root / self.name

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def pgpass(self, user: str) -> Path:
        """A password file that knows this user of this cluster only."""
        return self.root / f"{self.name}-{user}.pgpass"

    def conninfo(self, user: str = SUPERUSER, application_name: str = "demo", database: str = DATABASE) -> str:
        """A connection string without a password: give it a pgpass() by the environment or by passfile."""
        return (f"host=127.0.0.1 port={self.port} dbname={database} user={user} "
                f"application_name={application_name} passfile={self.pgpass(user)}")

    def create(self) -> None:
        """Makes the cluster and its folder."""
        self.folder.mkdir(mode=0o700)
        password_file = self.folder / "password"
        password_file.write_text(self.passwords[SUPERUSER])
        if os.geteuid() == 0:
            owner = pwd.getpwnam(SERVER_USER)
            for path in (self.folder, password_file):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        run(as_server_user([
            str(postgres_bin() / "initdb"), "--no-sync", "-D", str(self.folder / "data"), "-U", SUPERUSER,
            "--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password_file}"]), cwd="/")
        password_file.unlink()
        settings = SETTINGS | self.settings
        settings |= {"unix_socket_directories": f"'{self.folder}'", "cluster_name": f"'{self.name}'"}
        with open(self.folder / "data" / "postgresql.auto.conf", "a", encoding="ascii") as conf:
            conf.writelines(f"{name} = {value}\n" for name, value in settings.items())
        for user, password in self.passwords.items():
            path = self.pgpass(user)
            path.touch(mode=0o600)
            path.write_text(f"127.0.0.1:{self.port}:*:{user}:{password}\n")

    def start(self) -> None:
        """Starts the server and waits until it answers. Refused after stop()."""
        if self._closed.is_set():
            raise ClusterError(f"the cluster {self.name} has been stopped")
        run(as_server_user([str(postgres_bin() / "pg_ctl"), "-D", str(self.folder / "data"), "-l", str(self.log),
                            "-o", f"-p {self.port}", "-w", "-s", "start"]), cwd="/", stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        """Stops the server at once; what is in it is not needed any more. Nothing happens where none runs. The one
        method that another thread may call."""
        self._closed.set()
        if (self.folder / "data" / "postmaster.pid").exists():
            subprocess.run(as_server_user([str(postgres_bin() / "pg_ctl"), "-D", str(self.folder / "data"),
                                           "-m", "immediate", "-w", "-s", "stop"]),
                           cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def load(self, rows: int, dirty: bool = False) -> None:
        """Makes roles and database and fills the CRM schema with `rows` contacts."""
        self.psql(ROLES.format(**self.passwords), database="postgres")
        self.psql(f"CREATE DATABASE {DATABASE} OWNER crm_owner", database="postgres")
        self.psql(CRM_SQL.read_text(), variables={"rows": str(rows), "dirty": str(dirty).lower()})

    def add_database(self, name: str, rows: int) -> None:
        """One more database with a CRM, beside the one that load() has made."""
        self.psql(f"CREATE DATABASE {name} OWNER crm_owner", database="postgres")
        self.psql(CRM_SQL.read_text(), database=name, variables={"rows": str(rows), "dirty": "false"})

    def refill(self, rows: int, extra: str = "") -> None:
        """The CRM as load() makes it, in place of what became of it; then a script."""
        self.psql("SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
                  " GRANT ALL ON SCHEMA public TO PUBLIC;")
        self.psql(CRM_SQL.read_text(), variables={"rows": str(rows), "dirty": "false"})
        if extra:
            self.psql(extra)

    def psql(self, script: str, database: str = DATABASE, variables: dict[str, str] | None = None) -> str:
        """Runs a script by psql as superuser and returns what it printed."""
        options = [f"-v{name}={value}" for name, value in (variables or {}).items()]
        return run([*self._psql(database), *options], input=script, env=self._environment())

    def session(self, statement: str, database: str = DATABASE) -> subprocess.Popen:
        """A session of psql as superuser that begins with a statement and lasts until its stdin is closed."""
        psql = subprocess.Popen(self._psql(database), text=True, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, env=self._environment())
        psql.stdin.write(statement + ";\n")
        psql.stdin.flush()
        return psql

    def schema_dump(self, which: str = "--exclude-schema=curlew", database: str = DATABASE) -> str:
        """The schema as pg_dump writes it, without Curlew's own unless asked otherwise, and without the lines that are
        drawn anew."""
        text = run([str(postgres_bin() / "pg_dump"), "--schema-only", which, "-h", "127.0.0.1",
                    "-p", str(self.port), "-U", SUPERUSER, "-d", database], env=self._environment())
        return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))

    def _psql(self, database: str) -> list[str]:
        return [str(postgres_bin() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1",
                "-p", str(self.port), "-U", SUPERUSER, "-d", database]

    def _environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return clean | {"PGPASSFILE": str(self.pgpass(SUPERUSER))}
