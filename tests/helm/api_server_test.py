#!/usr/bin/python3
"""The chart on a real API server: etcd and kube-apiserver, without anything that would start pods.

Every file of values is installed by helm, upgraded and uninstalled in a namespace that enforces the restricted Pod
Security Standard; every pod is offered to the server as it would be made. cert-manager's and the Prometheus Operator's
kinds are those of their own definitions. Skipped where ./dev setup --kubernetes --api-server was not run.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import chart
from chart import CHART, REPOSITORY, TOOLS, objects, of_kind, pod_of, render, tool

HERE = Path(__file__).parent
EXAMPLES = REPOSITORY / "examples" / "kubernetes"
DEFINITIONS = TOOLS.parent / "definitions"
SCENARIOS = {path.stem: path for path in sorted((HERE / "values").glob("*.yaml"))} | {
    "minimal": EXAMPLES / "minimal.yaml", "production": EXAMPLES / "production.yaml",
    "cloudnative-pg": EXAMPLES / "cloudnative-pg" / "values.yaml"}
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
SECONDS = 120


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(what)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """An API server in a folder of its own, on this machine alone."""

    def __init__(self, folder: Path):
        self.folder, self.token = folder, secrets.token_hex(16)
        self.url = f"https://127.0.0.1:{free_port()}"
        self._processes: list[subprocess.Popen] = []

    def start(self) -> None:
        etcd, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._run("etcd", "--data-dir", str(self.folder / "etcd"), "--listen-client-urls", etcd,
                  "--advertise-client-urls", etcd, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                  "--initial-cluster", f"default={peer}", "--unsafe-no-fsync")
        key = self.folder / "accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        tokens = self.folder / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f"{self.token},admin,admin,system:masters\n")
        self._run("kube-apiserver", "--etcd-servers", etcd, "--bind-address=127.0.0.1",
                  f"--secure-port={self.url.rpartition(':')[2]}", f"--cert-dir={self.folder / 'certificates'}",
                  "--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC",
                  f"--token-auth-file={tokens}", "--service-account-issuer=https://kubernetes.default.svc",
                  f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
                  # What the etcd of Debian 12 (3.4.23) does not tell it reliably.
                  "--feature-gates=WatchList=false,ListFromCacheSnapshot=false,SizeBasedListCostEstimate=false",
                  # Nobody makes a ServiceAccount "default" in a namespace here.
                  "--disable-admission-plugins=ServiceAccount")
        self._wait(lambda: self.request("GET", "/readyz"), "the API server does not become ready")

    def _run(self, name: str, *arguments: str) -> None:
        with open(self.folder / f"{name}.log", "wb") as log:
            self._processes.append(subprocess.Popen([str(tool(name)), *arguments], stdin=subprocess.DEVNULL,
                                                    stdout=log, stderr=subprocess.STDOUT, cwd=self.folder))

    def _wait(self, holds, what: str) -> None:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                holds()
                return
            except OSError as error:
                dead = [p.args[0] for p in self._processes if p.poll() is not None]
                if dead or time.monotonic() > deadline:
                    logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in self.folder.glob("*.log"))
                    raise AssertionError(f"{what}: {error}; ended: {dead}\n{logs}") from error
                time.sleep(0.2)

    def request(self, method: str, path: str, body: dict | None = None) -> tuple[dict, list[str]]:
        """An answer of the server's, and its warnings. Raises OSError with what it said where it refuses."""
        request = urllib.request.Request(self.url + path, method=method,
                                         data=json.dumps(body).encode() if body is not None else None,
                                         headers={"Authorization": f"Bearer {self.token}",
                                                  "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30, context=ssl._create_unverified_context()) as answer:
                text = answer.read()
                return (json.loads(text) if text.startswith(b"{") else {}), answer.headers.get_all("Warning") or []
        except urllib.error.HTTPError as error:
            raise OSError(f"{method} {path}: {error.read().decode()}") from error

    def helm(self, *arguments: str) -> str:
        return chart.helm(*arguments, "--kube-apiserver", self.url, "--kube-token", self.token,
                          "--kube-insecure-skip-tls-verify")

    def define(self) -> None:
        """The kinds of others that the chart makes, by their own definitions."""
        names = []
        for path in sorted(DEFINITIONS.glob("*.yaml")):
            for definition in objects(path.read_text()):
                self.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
                version = next(v["name"] for v in definition["spec"]["versions"] if v["storage"])
                names.append(f"/apis/{definition['spec']['group']}/{version}/{definition['spec']['names']['plural']}")
        for path in names:
            self._wait(lambda path=path: self.request("GET", path), f"{path} is not served")

    def namespace(self, name: str) -> None:
        self.request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace",
                                                    "metadata": {"name": name, "labels": RESTRICTED}})

    def close(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait()


def make_priorities(cluster: Cluster) -> None:
    """The PriorityClasses that values name; a pod of one that is not there is refused."""
    pods = [pod for file in SCENARIOS.values() for thing in objects(render(file)) if (pod := pod_of(thing))]
    for name in {pod["spec"]["priorityClassName"] for pod in pods if "priorityClassName" in pod["spec"]}:
        cluster.request("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": 1000})


def admit_pods(cluster: Cluster, name: str, found: list[dict]) -> int:
    """Offers every pod to the server, which enforces the standard; nothing is kept."""
    count = 0
    for thing in found:
        if pod := pod_of(thing):
            body = {"apiVersion": "v1", "kind": "Pod",
                    "metadata": pod["metadata"] | {"name": "offered", "namespace": name}, "spec": pod["spec"]}
            cluster.request("POST", f"/api/v1/namespaces/{name}/pods?dryRun=All", body)
            count += 1
    return count


def life(cluster: Cluster, name: str, file: Path) -> None:
    """Install, upgrade, uninstall, install again."""
    cluster.namespace(name)
    common = ("curlew", str(CHART), "--namespace", name, "--values", str(file))
    said = cluster.helm("install", *common)
    expect("is installed as curlew" in said, said)
    pods = admit_pods(cluster, name, objects(render(file)))
    # Everything that may change, changed.
    cluster.helm("upgrade", *common, "--set", "image.tag=9.9.9", "--set", "commonLabels.changed=yes", "--set",
                 "networkPolicy.enabled=false", "--set", "log.level=debug")
    status = json.loads(cluster.helm("status", "curlew", "--namespace", name, "--output", "json"))
    expect(status["info"]["status"] == "deployed" and status["version"] == 2, str(status["info"]))
    cluster.helm("rollback", "curlew", "1", "--namespace", name)
    cluster.helm("uninstall", "curlew", "--namespace", name)
    left, _ = cluster.request("GET", f"/apis/apps/v1/namespaces/{name}/deployments")
    expect(left["items"] == [], f"{name}: Deployments are left")
    claims, _ = cluster.request("GET", f"/api/v1/namespaces/{name}/persistentvolumeclaims")
    kept = [claim["metadata"]["name"] for claim in claims["items"]]
    expected = [claim["metadata"]["name"] for claim in of_kind("PersistentVolumeClaim", objects(render(file)))]
    expect(kept == expected, f"{name}: claims {kept}, not {expected}")
    cluster.helm("install", *common)  # Takes the volume that was kept, which is its own.
    print(f"{name}: installed, upgraded, rolled back, uninstalled, installed again; {pods} pods admitted", flush=True)


def upgrades_from_earlier_charts(cluster: Cluster) -> None:
    earlier = sorted((HERE / "previous").glob("*.tgz"))
    if not earlier:
        print("no earlier chart was released: nothing to upgrade from")
    for number, archive in enumerate(earlier):
        for scenario, file in SCENARIOS.items():
            name = f"earlier-{number}-{scenario}"
            cluster.namespace(name)
            try:
                cluster.helm("install", "curlew", str(archive), "--namespace", name, "--values", str(file))
            except chart.Refused:
                continue  # Values that it did not have yet.
            cluster.helm("upgrade", "curlew", str(CHART), "--namespace", name, "--values", str(file))


def the_server_judges(cluster: Cluster) -> None:
    """What is wrong is refused: else this test would prove nothing."""
    cluster.namespace("judged")
    found = objects(render(EXAMPLES / "minimal.yaml"))
    pod = pod_of(next(thing for thing in found if thing["kind"] == "Deployment"))
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "root"}, "spec": pod["spec"] | {
        "securityContext": {"runAsUser": 0}}}
    try:
        cluster.request("POST", "/api/v1/namespaces/judged/pods?dryRun=All", body)
    except OSError as error:
        expect("violates PodSecurity" in str(error), str(error))
        return
    raise AssertionError("a pod that runs as root was admitted")


def main() -> int:
    chart.need("helm")
    for name in ("kube-apiserver", "etcd", "openssl"):
        if tool(name) is None:
            chart.skip(f"{name} is not here; ./dev setup --kubernetes --api-server installs it")
    if not list(DEFINITIONS.glob("*.yaml")):
        chart.skip("definitions of cert-manager's kinds are not here; ./dev setup --kubernetes --api-server brings them")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # By way of what cleans up.
    folder = Path(tempfile.mkdtemp(prefix="curlew-api-server-", dir="/var/tmp"))
    cluster = Cluster(folder)
    try:
        cluster.start()
        cluster.define()
        the_server_judges(cluster)
        make_priorities(cluster)
        for name, file in SCENARIOS.items():
            life(cluster, name, file)
        upgrades_from_earlier_charts(cluster)
        version, _ = cluster.request("GET", "/version")
        print(f"passed, on Kubernetes {version['gitVersion']}")
    finally:
        cluster.close()
        if not os.environ.get("CURLEW_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
