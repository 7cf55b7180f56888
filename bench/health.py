"""Asks gRPC's health service, with nothing but a socket: an observer that shares no code with what it observes."""

from __future__ import annotations

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
ACK, END_STREAM, END_HEADERS = 1, 1, 4
SERVING = b"\x08\x01"  # HealthCheckResponse.status = 1


def serving(port: int, service: str, timeout: float = 0.5) -> bool:
    """Whether the server on 127.0.0.1 says that the service is SERVING. False too where nothing answers in time."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as connection:
            connection.settimeout(timeout)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            name = service.encode()
            message = (b"\x0a" + bytes([len(name)]) + name) if name else b""
            connection.sendall(PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, END_HEADERS, 1, request(port)) +
                               frame(DATA, END_STREAM, 1, b"\0" + struct.pack(">I", len(message)) + message))
            return answer(connection)[5:] == SERVING
    except OSError:
        return False


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def request(port: int) -> bytes:
    """The headers, each as HPACK's literal without indexing and without Huffman's code."""
    headers = {":method": "POST", ":scheme": "http", ":path": "/grpc.health.v1.Health/Check",
               ":authority": f"127.0.0.1:{port}", "te": "trailers", "content-type": "application/grpc"}
    return b"".join(b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
                    for name, value in headers.items())


def answer(connection: socket.socket) -> bytes:
    """The data of the response; empty where it is an error without any."""
    data = b""
    while True:
        head = receive(connection, 9)
        payload = receive(connection, int.from_bytes(head[:3], "big"))
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9], "big")
        if kind == SETTINGS and not flags & ACK:
            connection.sendall(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            connection.sendall(frame(PING, ACK, 0, payload))
        elif stream == 1 and kind == DATA:
            data += payload
        if stream == 1 and kind in (DATA, HEADERS) and flags & END_STREAM:
            return data


def receive(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = connection.recv(size - len(found))
        if not more:
            raise ConnectionError("the server has closed the connection")
        found += more
    return found
