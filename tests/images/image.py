"""What the tests look at: an image's files, and what it says of itself."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import stat
import subprocess
import tarfile

NAMES = ("controller", "agent", "cli")
PROGRAMS = {"controller": "curlew-controller", "agent": "curlew-agent", "cli": "curlew"}


@dataclasses.dataclass
class File:
    """An entry of an image. The path has no slash in front."""
    path: str
    mode: int  # with its type, as os.lstat has it
    user: int
    group: int
    size: int
    time: float  # of its last change
    link: str = ""


@dataclasses.dataclass
class Image:
    name: str
    root: pathlib.Path
    files: dict[str, File]
    config: dict | None  # None where it is no image, but only what would be in one

    @property
    def program(self) -> str:
        return f"/usr/bin/{PROGRAMS[self.name]}"

    @property
    def megabytes(self) -> float:
        return sum(f.size for f in self.files.values()) / 1e6


def assembled(name: str, script: pathlib.Path, programs: pathlib.Path, folder: pathlib.Path) -> Image:
    """What images/assemble.sh puts together out of this machine's packages."""
    root = folder / name
    subprocess.run([script, name, programs, root], check=True, stdout=subprocess.DEVNULL)
    files = {}
    for parent, folders, names in os.walk(root):
        for entry in folders + names:
            path = pathlib.Path(parent, entry)
            told = path.lstat()
            relative = str(path.relative_to(root))
            files[relative] = File(relative, told.st_mode, 0, 0, told.st_size if stat.S_ISREG(told.st_mode) else 0,
                                   told.st_mtime, os.readlink(path) if path.is_symlink() else "")
    return Image(name, root, files, None)


def loaded(name: str, archive: pathlib.Path, folder: pathlib.Path) -> Image:
    """An image out of an archive as `docker save` makes it."""
    root = folder / name
    root.mkdir()
    files: dict[str, File] = {}
    kinds = {tarfile.REGTYPE: stat.S_IFREG, tarfile.AREGTYPE: stat.S_IFREG, tarfile.DIRTYPE: stat.S_IFDIR,
             tarfile.SYMTYPE: stat.S_IFLNK}
    with tarfile.open(archive) as outer:
        manifest = json.load(outer.extractfile("manifest.json"))[0]
        config = json.load(outer.extractfile(manifest["Config"]))
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=outer.extractfile(layer)) as inner:
                for member in inner:
                    path = os.path.normpath(member.name)
                    if path == ".":
                        continue
                    if os.path.basename(path).startswith(".wh."):
                        raise ValueError(f"{archive}: a layer takes away {path}: it was in an image that has no use for it")
                    if member.islnk():
                        kind = files[os.path.normpath(member.linkname)].mode
                    else:
                        kind = kinds.get(member.type, 0) | member.mode
                    files[path] = File(path, kind, member.uid, member.gid, member.size if member.isreg() else 0,
                                       member.mtime, member.linkname if member.issym() else "")
                    inner.extract(member, root, numeric_owner=True)
    return Image(name, root, files, config)


def multiarch(image: Image) -> str:
    """The folder of the libraries: usr/lib/x86_64-linux-gnu."""
    return next(path for path in image.files if re.fullmatch(r"usr/lib/[a-z0-9_]+-linux-gnu[a-z0-9]*", path))
