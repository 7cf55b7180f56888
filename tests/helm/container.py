#!/usr/bin/python3
"""Becomes a container's process: container.py SPEC.json. Run as root, in namespaces of its own for mounts and network.

Makes a root of its own (the machine's /usr, devices and what the specification mounts), makes it read-only, enters it,
becomes the user, gives up every capability, and executes the program. There is no way back, so it is a process's end,
not a function.
"""

import ctypes
import json
import os
import sys

RDONLY, NOSUID, NODEV, REMOUNT, BIND, REC = 1, 2, 4, 32, 4096, 16384
LIBC = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    arguments = [text.encode() if text is not None else None for text in (source, target, kind)]
    if LIBC.mount(*arguments, ctypes.c_ulong(flags), data.encode() if data else None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {source} on {target}: {os.strerror(number)}")


def bind(source: str, target: str, writable: bool = False) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        open(target, "a", encoding="ascii").close()
    mount(source, target, flags=BIND | REC)
    if not writable:
        mount(source, target, flags=BIND | REC | REMOUNT | RDONLY)


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    root = spec["root"]
    mount("root", root, "tmpfs", NOSUID | NODEV, "mode=755,size=1m")
    for folder in ("proc", "dev", "tmp", "etc", "data"):
        os.mkdir(f"{root}/{folder}")
    for name in ("bin", "sbin", "lib", "lib64"):
        os.symlink(f"usr/{name}", f"{root}/{name}")
    for path in ("/usr", "/etc/ssl", "/etc/ld.so.cache", "/etc/alternatives"):
        if os.path.exists(path):
            bind(path, root + path)
    bind("/proc", f"{root}/proc", writable=True)
    for device in ("null", "zero", "random", "urandom"):
        bind(f"/dev/{device}", f"{root}/dev/{device}", writable=True)
    for path, text in spec["files"].items():
        with open(root + path, "w", encoding="utf-8") as file:
            file.write(text)
    for entry in spec["mounts"]:
        if entry["source"] is None:  # An emptyDir.
            os.makedirs(root + entry["target"], exist_ok=True)
            mount("empty", root + entry["target"], "tmpfs", NOSUID | NODEV, "mode=1777,size=64m")
        else:
            bind(entry["source"], root + entry["target"], entry["writable"])
    if spec["read_only"]:
        mount("root", root, flags=REMOUNT | RDONLY | NOSUID | NODEV)
    os.chroot(root)
    os.chdir(spec["folder"])
    os.execve("/usr/bin/setpriv", [
        "setpriv", f"--reuid={spec['user']}", f"--regid={spec['group']}", f"--groups={spec['fs_group']}",
        "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--", *spec["command"]], spec["environment"])


if __name__ == "__main__":
    main()
