"""A session whose answers nobody reads, so that an error stops it while it still holds its locks.

PostgreSQL sends an error to the client before it aborts the transaction. Where the client's socket is full, the backend
waits there (wait event ClientWrite) with all the locks that it had taken when the error was raised: nowhere else can
they be seen, because a subtransaction, a function's EXCEPTION block or the client's next statement come too late.
So a query first fills the socket to the last packet that fits (how many those are is found by trial, once for each
process), then the statement under test is sent behind it.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import Any

from server import Server, connect, query

_CHUNK = 8192  # the backend sends when this many bytes have come together
_MARK = "curlew fill"
_DEADLINE_S = 20.0
_ACTIVITY = "SELECT state, wait_event, query FROM pg_stat_activity WHERE pid = %s"


def _message(sql: str) -> bytes:
    body = sql.encode() + b"\0"
    return b"Q" + struct.pack("!i", len(body) + 4) + body


class HeldSession:
    """One session; `begin` sends a statement without reading, `drain` reads what came. Ended by `close`."""

    _packets: int | None = None  # how many fit into the socket

    def __init__(self, server: Server, dsn: str) -> None:
        self._server = server
        self.connection = connect(dsn)
        self.pid: int = self.connection.get_backend_pid()
        self._socket: socket.socket | None = None
        self._received = b""
        self._ready = 0
        self.error: tuple[str, str] | None = None
        if HeldSession._packets is None:
            HeldSession._packets = _calibrate(server, dsn)

    def begin(self, sql: str) -> None:
        """Fills the socket, then sends the statement. From here on `connection` must not be used."""
        self.fill(HeldSession._packets or 1)
        self.send(sql)

    def fill(self, packets: int) -> str:
        """Sends the filling query and returns the wait event once it has ended or stands still."""
        self._socket = socket.socket(fileno=os.dup(self.connection.fileno()))
        self.send(f"SELECT /* {_MARK} */ repeat('x', {packets * _CHUNK - 500})")
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline:
            state, event, text = self.activity()
            if _MARK in text and event in ("ClientRead", "ClientWrite"):
                return str(event)
            time.sleep(0.0005)
        raise TimeoutError("the filling query does not end")

    def send(self, sql: str) -> None:
        """Sends a query and reads nothing."""
        assert self._socket is not None
        self._socket.setblocking(True)
        self._socket.sendall(_message(sql))

    def activity(self) -> tuple[str, str, str]:
        """State, wait event and statement of the backend."""
        found = query(self._server.admin, _ACTIVITY, self.pid)
        if not found:
            return ("gone", "", "")
        state, event, text = found[0]
        return (state or "", event or "", text or "")

    def stands_at_client(self) -> bool:
        """Whether the backend waits for us to read, or has ended the statement."""
        state, event, text = self.activity()
        if _MARK in text:
            return False
        return state == "gone" or event == "ClientWrite" or state.startswith("idle")

    def drain(self, wait_s: float) -> bool:
        """Reads what comes within a time; true once the statement has ended. Its error is then in `error`."""
        assert self._socket is not None
        deadline = time.monotonic() + wait_s
        while self._ready < 2:
            self._socket.settimeout(max(0.0005, deadline - time.monotonic()))
            try:
                data = self._socket.recv(1 << 20)
            except (TimeoutError, BlockingIOError):
                return False
            if not data:
                return True
            self._received += data
            self._parse()
        return True

    def _parse(self) -> None:
        while len(self._received) >= 5:
            kind, length = struct.unpack("!ci", self._received[:5])
            if len(self._received) < length + 1:
                return
            body, self._received = self._received[5:length + 1], self._received[length + 1:]
            if kind == b"Z":
                self._ready += 1
            elif kind == b"E":
                fields = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
                self.error = (fields[b"C"], fields[b"M"])

    def close(self) -> None:
        """Ends the session and waits until the server has counted what it did."""
        if self._socket is not None:
            self._socket.close()
            other = socket.socket(fileno=os.dup(self.connection.fileno()))
            other.shutdown(socket.SHUT_RDWR)
            other.close()
        self.connection.close()
        deadline = time.monotonic() + _DEADLINE_S
        while self.activity()[0] != "gone" and time.monotonic() < deadline:
            time.sleep(0.001)


def _calibrate(server: Server, dsn: str) -> int:
    """The most packets after which the filling query still ends: the next one, however small, has to wait."""

    def ends(packets: int) -> bool:
        HeldSession._packets = 0
        session = HeldSession(server, dsn)
        event = session.fill(packets)
        session.close()
        return event == "ClientRead"

    low, high = 1, 2
    while ends(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if ends(middle) else (low, middle)
    return low


def describe(error: Any) -> tuple[str, str]:
    """SQLSTATE and message of a psycopg2 error."""
    return (error.pgcode or "", (error.diag.message_primary or str(error)).strip())
