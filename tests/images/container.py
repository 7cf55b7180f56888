#!/usr/bin/python3
"""Runs one program in the root of an image as a container runtime would: the root is read-only, the user is 65532 without
any capability, and only the folders that are named can be written.

    container.py ROOT [--write PATH=FOLDER]... [--env NAME=VALUE]... [--cwd PATH] [--dns NAME=ADDRESS]... -- PROGRAM ARG...

It needs root, and mount namespaces. With --dns it has a network of its own, with nothing but the loopback and a name
server that knows these names. SIGTERM goes on to the program, and its exit code is this one's.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile

USER = 65532
LIBC = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWNET = 0x00020000, 0x40000000
RDONLY, NOSUID, NODEV, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
# What a runtime mounts upon, and makes where an image lacks it.
MOUNT_POINTS = ("dev", "proc", "sys", "tmp", "data", "etc/hosts", "etc/resolv.conf")


def why_not() -> str:
    """Why no program can be run so on this machine; empty where one can."""
    if os.geteuid() != 0:
        return "only root may change the root of a process"
    tried = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, text=True)
    return "" if tried.returncode == 0 else f"this machine gives no namespaces: {tried.stderr.strip()}"


def prepare(root: pathlib.Path) -> None:
    """Makes the mount points of a runtime in the root."""
    for name in MOUNT_POINTS:
        path = root / name
        if "." in path.name or path.name == "hosts":
            path.touch()
        else:
            path.mkdir(exist_ok=True)


def check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: object, target: object, kind: str = "", flags: int = 0, data: str = "") -> None:
    check(LIBC.mount(str(source).encode(), str(target).encode(), kind.encode(), flags, data.encode()), f"mount {target}")


def mount_root(root: pathlib.Path, writable: dict[str, str], hosts: str, resolver: str) -> None:
    mount("none", "/", flags=REC | PRIVATE)
    mount(root, root, flags=BIND)
    mount("none", root, flags=BIND | REMOUNT | RDONLY | NOSUID | NODEV)
    mount("proc", root / "proc", "proc", RDONLY | NOSUID | NODEV)
    mount("dev", root / "dev", "tmpfs", data="mode=755")
    for device in ("null", "zero", "random", "urandom"):
        (root / "dev" / device).touch()
        mount(f"/dev/{device}", root / "dev" / device, flags=BIND)
    for path, folder in writable.items():
        os.chown(folder, USER, USER)
        mount(folder, root / path.strip("/"), flags=BIND)
    for path, text in (("etc/hosts", hosts), ("etc/resolv.conf", resolver)):
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write(text)
        os.chmod(file.name, 0o644)
        mount(file.name, root / path, flags=BIND)
        os.unlink(file.name)


def loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def answer(query: bytes, names: dict[str, str]) -> bytes:
    """Of a DNS query for one name: its address of IPv4, or that there is none."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    question = query[12:at + 5]
    kind = struct.unpack(">H", query[at + 1:at + 3])[0]
    address = names.get(".".join(labels).lower())
    record = b""
    if address and kind == 1:
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(address)
    return query[:2] + struct.pack(">HHHHH", 0x8580 | (0 if address else 3), 1, 1 if record else 0, 0, 0) + question + record


def become(root: pathlib.Path, cwd: str, environment: dict[str, str], command: list[str]) -> None:
    os.chroot(root)
    os.chdir(cwd)
    os.setgroups([])
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execve(command[0], command, environment)


def run(options: argparse.Namespace) -> int:
    names = dict(entry.split("=", 1) for entry in options.dns)
    check(LIBC.unshare(NEWNS | (NEWNET if names else 0)), "unshare")
    server = None
    if names:
        loopback_up()
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 53))
    mount_root(options.root, dict(entry.split("=", 1) for entry in options.write),
               "127.0.0.1 localhost\n127.0.0.9 in-hosts.curlew.test\n", "nameserver 127.0.0.1\n")
    child = os.fork()
    if child == 0:
        try:
            become(options.root, options.cwd, dict(entry.split("=", 1) for entry in options.env), options.command)
        except BaseException as error:  # Nothing of the parent's may go on in the child.
            print(f"container.py: {options.command[0]}: {error}", file=sys.stderr)
        os._exit(127)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os.kill(child, number))
    ended = os.pidfd_open(child)
    while ended not in (ready := select.select([ended] + ([server] if server else []), [], [])[0]):
        if server in ready:
            query, sender = server.recvfrom(4096)
            server.sendto(answer(query, names), sender)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 128 - status


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=pathlib.Path)
    for name in ("write", "env", "dns"):
        parser.add_argument(f"--{name}", action="append", default=[])
    parser.add_argument("--cwd", default="/")
    parser.add_argument("command", nargs="+")
    sys.exit(run(parser.parse_args()))


if __name__ == "__main__":
    main()
