"""What a node does for pods, as far as a program can see it: addresses, names, volumes, environment, rights, probes.

Pods are processes in namespaces of their own, with the command, arguments, environment, mounts, user and rights that
the chart gives. A node is this process's own namespace of the network, with a bridge; nothing of it reaches the
machine's. Needs root.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from chart import NAMESPACE

HERE = Path(__file__).parent
NODE = "10.77.0.1"
NETWORK = "10.77.0"
DOMAIN = f"{NAMESPACE}.svc.cluster.local"
RESOLV = f"nameserver {NODE}\nsearch {DOMAIN} svc.cluster.local cluster.local\noptions ndots:5\n"
IMAGE = {"PATH": "/curlew/bin:/usr/bin", "LANG": "C.UTF-8"}  # As images/Dockerfile says; programs stand elsewhere here.
IMAGE_FOLDER = "/data"
ENTERED = "CURLEW_TEST_NODE"


class KubeletError(RuntimeError):
    """A pod did not do what it should; the message ends with the end of its log."""


def enter_node(arguments: list[str]) -> None:
    """Begins this program anew in namespaces of its own, and returns there. Raises OSError where that cannot be."""
    if not os.environ.get(ENTERED):
        command = ["unshare", "--mount", "--net", "--propagation", "private"]
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
            raise OSError("no namespaces can be made on this machine")
        os.environ[ENTERED] = "1"
        os.execvp("unshare", [*command, sys.executable, "-B", *arguments])
    for command in ("mount -t tmpfs run /run", "ip link set lo up",
                    # With an address of its own: else it takes the lowest of its ports, a new one with new pods, and
                    # those that are there send to the old one for a while.
                    "ip link add pods address 02:00:00:00:00:01 type bridge",
                    f"ip address add {NODE}/24 dev pods", "ip link set pods up"):
        subprocess.run(command.split(), check=True)


class Dns(threading.Thread):
    """Answers for names of Services, as CoreDNS does: as many A records as there are ready pods, none is cached."""

    def __init__(self):
        super().__init__(daemon=True)
        self.names: dict[str, list[str]] = {}  # Without a dot at the end; replaced as a whole, never changed.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((NODE, 53))
        self.start()

    def run(self):
        while True:
            query, client = self._socket.recvfrom(512)
            self._socket.sendto(self._answer(query), client)

    def _answer(self, query: bytes) -> bytes:
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        kind, _ = struct.unpack(">HH", query[at + 1:at + 5])
        addresses = self.names.get(".".join(labels))
        found = addresses if addresses and kind == 1 else []
        code = 0x8580 if addresses is not None else 0x8583  # An answer with authority; NXDOMAIN.
        head = query[:2] + struct.pack(">HHHHH", code, 1, len(found), 0, 0)
        records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(a) for a in found)
        return head + query[12:at + 5] + records


class Volume:
    """A Secret or ConfigMap as a folder, laid out and replaced as the kubelet does: a program that reads sees all files
    of one version, by links over a link that is swapped."""

    def __init__(self, folder: Path, files: dict[str, bytes], mode: int, group: int):
        self.folder, self._mode, self._group, self._version = folder, mode, group, 0
        folder.mkdir(mode=0o755)
        self.replace(files)

    def replace(self, files: dict[str, bytes]) -> None:
        self._version += 1
        version = self.folder / f"..{self._version}"
        version.mkdir()
        for name, content in files.items():
            path = version / name
            path.write_bytes(content)
            os.chown(path, 0, self._group)
            path.chmod(self._mode)
        link = self.folder / "..data_tmp"
        link.symlink_to(version.name)
        link.rename(self.folder / "..data")
        for name in files:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        old = self.folder / f"..{self._version - 1}"
        if old.exists():
            shutil.rmtree(old)


@dataclass
class Node:
    """Where pods run. Secrets, ConfigMaps and claims are what the test puts there."""

    root: Path
    programs: Path
    secrets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    config_maps: dict[str, dict[str, bytes]] = field(default_factory=dict)
    claims: dict[str, Path] = field(default_factory=dict)
    pods: list["Pod"] = field(default_factory=list)
    _next: int = 10

    def __post_init__(self):
        self.dns = Dns()

    def apply(self, manifest: dict) -> None:
        """A Secret or ConfigMap, and what pods see of it."""
        name = manifest["metadata"]["name"]
        if manifest["kind"] == "Secret":
            self.secrets[name] = {key: base64.b64decode(value) for key, value in manifest.get("data", {}).items()} | {
                key: value.encode() for key, value in manifest.get("stringData", {}).items()}
        else:
            self.config_maps[name] = {key: value.encode() for key, value in manifest.get("data", {}).items()} | {
                key: base64.b64decode(value) for key, value in manifest.get("binaryData", {}).items()}
        for pod in self.pods:
            pod.volumes_changed(manifest["kind"], name)

    def address(self) -> str:
        self._next += 1
        return f"{NETWORK}.{self._next}"

    def close(self) -> None:
        for pod in self.pods:
            pod.kill()


class Pod:
    """One pod with one container. start() returns at once; wait_ready() waits as the kubelet does."""

    def __init__(self, node: Node, name: str, template: dict, arguments: list[str] | None = None,
                 host_paths: dict[str, Path] | None = None):
        """`arguments` in place of the container's; `host_paths`: what else of the machine it sees, read-only."""
        self.node, self.name = node, name
        self.spec = template["spec"]
        (self.container,) = self.spec["containers"]
        self.address = node.address()
        self.folder = node.root / name
        self.folder.mkdir()
        self.log = self.folder / "log"  # Standard error.
        self.output = self.folder / "output"  # Standard output.
        self.rights = self.spec.get("securityContext", {}) | self.container.get("securityContext", {})
        self.arguments = arguments if arguments is not None else self.container.get("args", [])
        self.host_paths = host_paths or {}
        self.process: subprocess.Popen | None = None
        self._volumes: dict[tuple[str, str], list[Volume]] = {}
        self._namespace()
        node.pods.append(self)

    # What it is given.

    def _namespace(self) -> None:
        inner, outer = "eth0", f"v{self.address.rpartition('.')[2]}"
        for command in (f"ip netns add {self.name}",
                        f"ip link add {outer} type veth peer name {inner} netns {self.name}",
                        f"ip link set {outer} master pods up",
                        f"ip -n {self.name} address add {self.address}/24 dev {inner}",
                        f"ip -n {self.name} link set {inner} up", f"ip -n {self.name} link set lo up"):
            subprocess.run(command.split(), check=True)

    def environment(self) -> dict[str, str]:
        found = dict(IMAGE)
        for source in self.container.get("envFrom", []):
            values = (self.node.secrets[source["secretRef"]["name"]] if "secretRef" in source
                      else self.node.config_maps[source["configMapRef"]["name"]])
            found |= {key: value.decode() for key, value in values.items()}
        for variable in self.container.get("env", []):
            if "value" in variable:
                found[variable["name"]] = variable["value"]
                continue
            origin = variable["valueFrom"]
            if "fieldRef" in origin:
                found[variable["name"]] = {"status.podIP": self.address}[origin["fieldRef"]["fieldPath"]]
            else:
                key = origin["secretKeyRef"]
                found[variable["name"]] = self.node.secrets[key["name"]][key["key"]].decode()
        return found

    def command(self) -> list[str]:
        """With $(NAME) replaced, where the container has such a variable."""
        environment = self.environment()

        def replaced(text: str) -> str:
            return re.sub(r"\$\((\w+)\)", lambda match: environment.get(match.group(1), match.group(0)), text)

        return [replaced(text) for text in [*self.container["command"], *self.arguments]]

    def _mounts(self) -> list[dict]:
        volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        found = []
        for mount in self.container["volumeMounts"]:
            volume = volumes[mount["name"]]
            source, writable = None, not mount.get("readOnly", False)
            if "secret" in volume or "configMap" in volume:
                source, writable = str(self._files(mount["name"], volume)), False
            elif "persistentVolumeClaim" in volume:
                source = str(self._claim(volume["persistentVolumeClaim"]["claimName"]))
            elif "emptyDir" not in volume:
                raise KubeletError(f"{self.name}: volume {mount['name']} is of no kind that is known here: {volume}")
            found.append({"source": source, "target": mount["mountPath"], "writable": writable})
        found += [{"source": str(path), "target": target, "writable": False}
                  for target, path in self.host_paths.items()]
        return found

    def _files(self, name: str, volume: dict) -> Path:
        folder = self.folder / f"volume-{name}"
        if folder.exists():
            return folder
        if "secret" in volume:
            kind, of = "Secret", volume["secret"]["secretName"]
            mode, files = volume["secret"].get("defaultMode", 0o644), self.node.secrets[of]
        else:
            kind, of = "ConfigMap", volume["configMap"]["name"]
            mode, files = volume["configMap"].get("defaultMode", 0o644), self.node.config_maps[of]
        # With an fsGroup the kubelet lets that group read.
        made = Volume(folder, files, mode | 0o440, self.rights["fsGroup"])
        self._volumes.setdefault((kind, of), []).append(made)
        return folder

    def _claim(self, name: str) -> Path:
        folder = self.node.claims.setdefault(name, self.node.root / f"claim-{name}")
        if not folder.exists():
            folder.mkdir()
            os.chown(folder, 0, self.rights["fsGroup"])
            folder.chmod(0o2775)
        return folder

    def volumes_changed(self, kind: str, name: str) -> None:
        content = (self.node.secrets if kind == "Secret" else self.node.config_maps)[name]
        for volume in self._volumes.get((kind, name), []):
            volume.replace(content)

    # Its life.

    def start(self) -> "Pod":
        root = self.folder / "root"
        root.mkdir(exist_ok=True)
        specification = self.folder / "spec.json"
        environment = self.environment() | {"HOME": "/", "HOSTNAME": self.name}
        path = next((str(Path(folder) / self.container["command"][0]) for folder in ("/curlew/bin", "/usr/bin")
                     if (self.node.programs / self.container["command"][0]).exists() or folder == "/usr/bin"))
        specification.touch(mode=0o600)
        specification.write_text(json.dumps({
            "root": str(root), "read_only": self.rights.get("readOnlyRootFilesystem", False),
            "files": {"/etc/resolv.conf": RESOLV, "/etc/hosts": f"127.0.0.1 localhost\n{self.address} {self.name}\n",
                      "/etc/nsswitch.conf": "hosts: files dns\n"},
            "mounts": [*self._mounts(), {"source": str(self.node.programs), "target": "/curlew/bin", "writable": False}],
            "user": self.rights["runAsUser"], "group": self.rights["runAsGroup"], "fs_group": self.rights["fsGroup"],
            "folder": IMAGE_FOLDER, "command": [path, *self.command()[1:]], "environment": environment}))
        with open(self.log, "ab") as log, open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.name, "unshare", "--mount", "--propagation", "private", sys.executable,
                 "-B", str(HERE / "container.py"), str(specification)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=log, start_new_session=True,
                preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL))  # Dies with the test.
        return self

    def run(self, seconds: float = 120) -> tuple[int, str]:
        """Starts it and waits for its end: exit status, and what it printed, or said of its failure."""
        self.start()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise KubeletError(f"{self.name} has not ended within {seconds:.0f} s:\n{self.last_lines()}") from error
        return status, (self.output if status == 0 else self.log).read_text(errors="replace")

    def wait_ready(self, seconds: float = 120) -> "Pod":
        """Until every probe that it has succeeds."""
        deadline = time.monotonic() + seconds
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            if name not in self.container:
                continue
            while (problem := self.probe(name)) is not None:
                if self.process.poll() is not None:
                    raise KubeletError(f"{self.name} ended with status {self.process.returncode}:\n{self.last_lines()}")
                if time.monotonic() > deadline:
                    raise KubeletError(f"{self.name}, {name}: {problem}\n{self.last_lines()}")
                time.sleep(0.1)
        return self

    def probe(self, name: str) -> str | None:
        """None where a probe succeeds, else why not. From outside the pod, as the kubelet asks."""
        probe = self.container[name]
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        try:
            if "grpc" in probe:
                status = grpc_health(self.address, probe["grpc"]["port"], probe["grpc"].get("service", ""),
                                     probe["timeoutSeconds"])
                return None if status == 1 else f"health is {status}, not SERVING"
            port = ports.get(probe["httpGet"]["port"], probe["httpGet"]["port"])
            url = f"http://{self.address}:{port}{probe['httpGet']['path']}"
            urllib.request.urlopen(url, timeout=probe["timeoutSeconds"]).close()
            return None
        except OSError as error:
            return str(error)

    def stop(self) -> float:
        """SIGTERM, and its end within the grace period: with status 0, or it is an error. How many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        grace = self.spec["terminationGracePeriodSeconds"]
        try:
            status = self.process.wait(grace)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise KubeletError(f"{self.name} did not end within {grace} s of SIGTERM:\n{self.last_lines()}") from error
        if status != 0:
            raise KubeletError(f"{self.name} ended with status {status} after SIGTERM:\n{self.last_lines()}")
        return time.monotonic() - began

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def status(self) -> dict[str, str]:
        """/proc/PID/status of its process."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def last_lines(self, count: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:]) if self.log.exists() else ""


def grpc_health(host: str, port: int, service: str, seconds: float) -> int:
    """What grpc.health.v1.Health/Check answers (1: SERVING), in plain text, as a kubelet's gRPC probe asks. Raises
    OSError where there is no answer."""

    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    def header(name: str, value: str) -> bytes:
        return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()

    request = b"\x0a" + bytes([len(service)]) + service.encode() if service else b""
    headers = b"".join(header(*pair) for pair in (
        (":method", "POST"), (":scheme", "http"), (":path", "/grpc.health.v1.Health/Check"),
        (":authority", f"{host}:{port}"), ("content-type", "application/grpc"), ("te", "trailers")))
    with socket.create_connection((host, port), timeout=seconds) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, headers)
                           + frame(0, 1, 1, b"\0" + struct.pack(">I", len(request)) + request))
        read = connection.makefile("rb")
        body = b""
        while True:
            head = read.read(9)
            if len(head) < 9:
                raise OSError("the connection ended without an answer")
            payload = read.read(int.from_bytes(head[:3], "big"))
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9], "big")
            if kind == 4 and not flags & 1:
                connection.sendall(frame(4, 1, 0, b""))
            elif kind == 0 and stream == 1:
                body += payload
            if stream == 1 and flags & 1 and kind in (0, 1):
                break
    message = body[5:]
    return message[1] if message[:1] == b"\x08" else 0
