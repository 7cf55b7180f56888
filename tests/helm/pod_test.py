#!/usr/bin/python3
"""The chart's pods, brought to life: pod_test.py BIN.

helm renders the chart; kubelet.py runs its containers with the commands, arguments, environment, files, user, rights
and probes that stand in the rendered objects, each with an address of its own, over mTLS with certificates of
`curlew pki`, on a real PostgreSQL. A rollout goes from staging to production, while certificates are renewed and, in the
middle of a backfill, every controller is replaced as a rolling upgrade does it. In the end nothing may be lost, and no secret stand anywhere.

Needs root, for namespaces; skipped elsewhere.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import chart

sys.path.insert(0, str(chart.REPOSITORY / "demo"))

import kubelet  # noqa: E402
from chart import NAMESPACE, REPOSITORY, named, objects, of_kind, pod_of, render  # noqa: E402
from cluster import Cluster  # noqa: E402
from curlew import Curlew, CurlewError, Rollout  # noqa: E402
from kubelet import DOMAIN, NODE, Node, Pod  # noqa: E402

VALUES = Path(__file__).with_name("pod_values.yaml")
ROWS = 5000
SECONDS = 180
NO_ANSWER = 6  # An exit status of curlew.
REPEATABLE = (("env", "apply"), ("target", "list"), ("rollout", "show"))
HELD_DATABASE = "crm_2"  # Of production-1.
DATABASES = ("crm", "crm_2", "crm_3")
HEADLESS = "curlew-controller-headless"
ROLLOUT = "release-42"
PLAN = """
name: rename-contact-phone
operations:
  - rename_column: {table: contacts, from: phone, to: phone_number}
"""
PIPELINE = """
environments:
  - name: staging
    targets: [staging-crm]
    before_drop: {approvals: 1}
  - name: production
    targets: [production-1, production-2]
    before: {approvals: 1}
"""


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(what)


def say(text: str) -> None:
    print(f"[{time.monotonic() - BEGAN:5.1f} s] {text}", flush=True)


def with_certificate(template: dict, secret: str) -> dict:
    """The pod of `helm test`, as somebody else."""
    (volume,) = template["spec"]["volumes"]
    return {"spec": template["spec"] | {"volumes": [volume | {"secret": volume["secret"] | {"secretName": secret}}]}}


class PodCurlew(Curlew):
    """`curlew` in the pod that the chart makes for `helm test`, as somebody, with other arguments."""

    def __init__(self, node: Node, template: dict, user: str, files: Path):
        super().__init__(node.programs / "curlew", "", files)
        self._node, self._user = node, user
        self._template = with_certificate(template, f"{user}-tls")

    def run(self, *arguments: str) -> str:
        deadline = time.monotonic() + SECONDS
        while True:
            pod = Pod(self._node, f"{self._user}-{len(self._node.pods)}", self._template, list(arguments),
                      {"/files": self.folder})
            status, output = pod.run()
            if status == 0:
                return output
            # On a machine that is busy there may be no answer for a while; what may be done twice is done again.
            if status != NO_ANSWER or arguments[:2] not in REPEATABLE or time.monotonic() > deadline:
                raise CurlewError(f"curlew {' '.join(arguments)} ended with status {status}:\n{output}")


class HeldRow:
    """The last row of contacts, which nobody can update while this context lasts: a trigger, which is a part of the
    schema from the beginning, waits for a lock that a session of the test's has. No lock on the table stands in the
    way of what comes before and after."""

    LOCK = 4242

    def __init__(self, cluster: Cluster, database: str):
        self._cluster, self._database = cluster, database
        self._row = int(self._ask("SELECT max(id) FROM contacts"))
        cluster.psql(f"""
CREATE FUNCTION public.waits_for_the_test() RETURNS trigger LANGUAGE plpgsql
AS 'BEGIN PERFORM pg_advisory_xact_lock({self.LOCK}); RETURN NEW; END';
CREATE TRIGGER waits_for_the_test BEFORE UPDATE ON public.contacts FOR EACH ROW WHEN (NEW.id = {self._row})
  EXECUTE FUNCTION public.waits_for_the_test();
""", database=database)
        self._session: subprocess.Popen | None = None

    def __enter__(self) -> HeldRow:
        self._session = self._cluster.session(f"SELECT pg_advisory_lock({self.LOCK})", database=self._database)
        deadline = time.monotonic() + SECONDS
        while self._locks("granted") == 0:
            expect(self._session.poll() is None and time.monotonic() < deadline, "the test did not get its lock")
            time.sleep(0.1)
        return self

    def __exit__(self, *_) -> None:
        self._session.stdin.close()
        self._session.wait(SECONDS)

    def is_waited_for(self) -> bool:
        return self._locks("NOT granted") > 0

    def is_filled(self) -> bool:
        return self._ask(f"SELECT phone_number IS NOT NULL FROM contacts WHERE id = {self._row}") == "t"

    def _locks(self, condition: str) -> int:
        return int(self._ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 0"
                             f" AND objid = {self.LOCK} AND {condition}"))

    def _ask(self, query: str) -> str:
        return self._cluster.psql(f"COPY ({query}) TO STDOUT", database=self._database).strip()


class Installation:
    """What the chart makes of pod_values.yaml, on one node."""

    def __init__(self, root: Path, programs: Path):
        self.root = root
        self.node = Node(root, programs)
        self.found = objects(render(VALUES))
        self.passwords = {name: secrets.token_hex(12) for name in ("store",)}
        self.cluster = Cluster("db", root, port=5432, settings={"listen_addresses": "'*'"})
        self.controllers: list[Pod] = []
        self.agents: dict[str, Pod] = {}
        self._count = 0
        self.files = root / "files"
        self.files.mkdir()
        (self.files / "plan.yaml").write_text(PLAN)
        (self.files / "environments.yaml").write_text(PIPELINE)
        self.test_pod = pod_of(named("Pod", "curlew-test", self.found))
        self.ada = PodCurlew(self.node, self.test_pod, "ada", self.files)  # admin
        self.bob = PodCurlew(self.node, self.test_pod, "bob", self.files)  # approver

    def start_database(self) -> None:
        self.cluster.create()
        data = self.cluster.folder / "data"
        with open(data / "pg_hba.conf", "a", encoding="ascii") as file:
            file.write(f"host all all {kubelet.NETWORK}.0/24 scram-sha-256\n")
        self.cluster.start()
        self.cluster.load(ROWS)
        for database in DATABASES[1:]:
            self.cluster.add_database(database, ROWS)
        for database in DATABASES:
            self.cluster.psql(f"GRANT CREATE ON DATABASE {database} TO curlew", database="postgres")
        self.cluster.psql(f"CREATE ROLE store LOGIN PASSWORD '{self.passwords['store']}'", database="postgres")
        self.cluster.psql("CREATE DATABASE store OWNER store", database="postgres")

    def make_secrets(self, authority) -> None:
        """Everything that pod_values.yaml names."""
        password, port = self.cluster.passwords["curlew"], self.cluster.port

        def secret(name: str, **data: str) -> None:
            self.node.apply({"kind": "Secret", "metadata": {"name": name}, "stringData": data})

        secret("store", url=f"postgresql://store:{self.passwords['store']}@db:{port}/store")
        secret("staging-db", url=f"postgresql://curlew:{password}@db:{port}/crm")
        secret("production-1-db", password=password)
        secret("production-2-db", PGHOST="db", PGPORT=str(port), PGDATABASE="crm_3", PGUSER="curlew", PGPASSWORD=password)
        secret("notifications", **{"notifications.yaml": "sinks:\n  - name: ops\n    url: http://192.0.2.1:9/hook\n"
                                                         "    secret_file: ops.secret\n", "ops.secret": "hush"})
        key = self.root / "audit.key"
        subprocess.run([str(self.node.programs / "curlew-controller"), "audit-key", str(key)], check=True,
                       capture_output=True)
        secret("audit", **{"audit.key": key.read_text()})
        self.node.apply(authority.issue("controller-tls", "controller", dns=(f"{HEADLESS}.{NAMESPACE}.svc",)))
        for name in ("staging", "production-one", "production-two"):
            self.node.apply(authority.issue(f"agent-{name}-tls", "agent", name))
        self.node.apply(authority.issue("test-tls", "user", "helm-test"))
        for name in ("ada", "bob"):
            self.node.apply(authority.issue(f"{name}-tls", "user", name))
        for config_map in of_kind("ConfigMap", self.found):
            self.node.apply(config_map)

    def publish(self) -> None:
        """What the Services' names stand for: controllers that are ready."""
        ready = [pod.address for pod in self.controllers]
        self.node.dns.names = {f"{HEADLESS}.{DOMAIN}": ready, f"db.{DOMAIN}": [NODE]}

    def start_controller(self) -> Pod:
        self._count += 1
        template = pod_of(named("Deployment", "curlew-controller", self.found))
        pod = Pod(self.node, f"controller-{self._count}", template).start().wait_ready()
        self.controllers.append(pod)
        self.publish()
        return pod

    def stop_controller(self, pod: Pod) -> None:
        """As a Deployment does: out of the Service, then SIGTERM."""
        self.controllers.remove(pod)
        self.publish()
        seconds = pod.stop()
        say(f"{pod.name} ended {seconds:.1f} s after SIGTERM")

    def start_agents(self) -> None:
        for thing in of_kind("Deployment", self.found):
            if thing["metadata"]["name"] != "curlew-controller":
                name = thing["metadata"]["labels"]["curlew/agent"]
                self.agents[name] = Pod(self.node, f"agent-{name}", pod_of(thing)).start()
        for pod in self.agents.values():
            pod.wait_ready()

    def leader(self) -> Pod:
        """The controller that the health service says leads; waits until one does."""
        def leads(pod: Pod) -> bool:
            try:
                return kubelet.grpc_health(pod.address, 7442, "curlew.leader", 5) == 1
            except OSError:
                return False

        found: list[Pod] = []

        def one_leads() -> bool:
            found[:] = [pod for pod in self.controllers if leads(pod)]
            return len(found) == 1

        self.wait_until("one controller leads", one_leads)
        return found[0]

    def wait_until(self, what: str, holds, seconds: float = SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            for pod in [*self.controllers, *self.agents.values()]:
                if pod.process.poll() is not None:
                    raise AssertionError(f"{pod.name} ended with status {pod.process.returncode}:\n{pod.last_lines()}")
            if time.monotonic() > deadline:
                logs = "\n".join(f"{pod.name}:\n{pod.last_lines(8)}"
                                 for pod in [*self.controllers, *self.agents.values()])
                raise AssertionError(f"not within {seconds:.0f} s: {what}\n{logs}")
            time.sleep(0.3)


def check_rights(installation: Installation) -> None:
    """Who the processes are, and that their root cannot be written to."""
    for pod in [*installation.controllers, *installation.agents.values()]:
        status = pod.status()
        expect(status["Uid"].split() == ["65532"] * 4 and status["Gid"].split() == ["65532"] * 4, f"{pod.name}: {status}")
        expect(int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0, f"{pod.name} has capabilities")
        expect(status["NoNewPrivs"] == "1", f"{pod.name} could gain rights")
        template = {"spec": pod.spec | {"containers": [pod.container | {"command": ["touch"]}]}}
        for path in ("/written", "/etc/curlew/tls/written", "/data/written"):
            code, output = Pod(installation.node, f"write-{secrets.token_hex(3)}", template, [path]).run()
            expect(code != 0 and "Read-only file system" in output, f"{pod.name} could write {path}: {output}")
        code, output = Pod(installation.node, f"write-{secrets.token_hex(3)}", template, ["/tmp/written"]).run()
        expect(code == 0, f"{pod.name} cannot write to /tmp: {output}")


def check_strangers(installation: Installation, stranger) -> None:
    """Somebody of another CA is refused, and so is somebody without a certificate."""
    node = installation.node
    node.apply(stranger.issue("stranger-tls", "user", "helm-test"))
    template = installation.test_pod
    strange = with_certificate(template, "stranger-tls")
    status, output = Pod(node, "stranger", strange, ["--timeout", "5s", "target", "list"]).run()
    expect(status != 0, f"a stranger was heard:\n{output}")
    bare = {"spec": template["spec"] | {"containers": [template["spec"]["containers"][0] | {"env": []}]}}
    status, output = Pod(node, "bare", bare, ["--controller", f"dns:///{HEADLESS}.{NAMESPACE}.svc:7441", "target",
                                              "list"]).run()
    expect(status != 0 and "there are no certificates" in output, f"without a certificate, status {status}:\n{output}")


def roll_out(installation: Installation, authority) -> None:
    """From staging to production, with everything changing below it."""
    curlew, bob = installation.ada, installation.bob
    curlew.run("env", "apply", "/files/environments.yaml")
    installation.wait_until("every target is served", lambda: all_served(curlew))
    say("every target is served")
    held = HeldRow(installation.cluster, HELD_DATABASE)
    curlew.run("rollout", "start", "/files/plan.yaml", "--id", ROLLOUT)
    installation.wait_until("the gate of staging", lambda: reached_gate(curlew, "staging/before-drop"))
    say("staging is at the gate before DROP")

    # Every certificate is made anew.
    for name in ("staging", "production-one", "production-two"):
        installation.node.apply(authority.issue(f"agent-{name}-tls", "agent", name))
    installation.node.apply(authority.issue("controller-tls", "controller", dns=(f"{HEADLESS}.{NAMESPACE}.svc",)))
    bob.run("rollout", "approve", ROLLOUT, "--gate", "staging/before-drop")
    installation.wait_until("the gate of production", lambda: reached_gate(curlew, "production/before"))

    # In the middle of a backfill, which cannot end before, every controller is replaced, each by one with another
    # address: the leader last, as a rolling upgrade may have it.
    with held:
        bob.run("rollout", "approve", ROLLOUT, "--gate", "production/before")
        installation.wait_until("the backfill of production-1 comes to the row that is held",
                                lambda: backfill_attempt(curlew, "production-1") and held.is_waited_for())
        attempt = backfill_attempt(curlew, "production-1")
        say("production-1 is in the middle of its backfill")
        leader = installation.leader()
        for old in sorted(installation.controllers, key=lambda pod: pod is leader):
            installation.start_controller()
            installation.stop_controller(old)
        say("both controllers were replaced, the leader last")
        installation.wait_until("the new leader knows the agents", lambda: all_served(curlew))
        expect(not held.is_filled(), "the backfill came to its end while the controllers were replaced")
        expect(backfill_attempt(curlew, "production-1") == attempt,
               f"attempt {attempt} did not go on under the new controllers")
        say("and the same attempt goes on")
    installation.wait_until("the end", lambda: curlew.show(ROLLOUT).state == "SUCCEEDED")
    say("the rollout has succeeded")
    for database in DATABASES:
        count = installation.cluster.psql("COPY (SELECT count(phone_number) FROM contacts) TO STDOUT", database=database)
        expect(count.strip() == str(ROWS), f"{database} has {count} telephone numbers")
        columns = installation.cluster.psql("COPY (SELECT attname FROM pg_attribute WHERE attrelid = 'contacts'::regclass"
                                            " AND NOT attisdropped) TO STDOUT", database=database)
        expect("phone" not in columns.split(), f"{database} still has the old column")


def backfill_attempt(curlew: PodCurlew, target: str) -> int:
    """Number of the attempt of a BACKFILL step that is running; 0 where there is none."""
    seen: Rollout = curlew.show(ROLLOUT)
    expect(seen.state == "RUNNING", f"the rollout is {seen.state}: {seen.describe_failure()}")
    for step in seen.run(target).get("steps", []):
        if step.get("phase") == "PHASE_BACKFILL" and step.get("state") == "STEP_STATE_ACTIVE":
            return int(step.get("attempt", {}).get("number", 0))
    return 0


def all_served(curlew: PodCurlew) -> bool:
    targets = curlew.json("target", "list").get("targets", [])
    return len(targets) == len(DATABASES) and all(target.get("served") for target in targets)


def reached_gate(curlew: PodCurlew, gate: str) -> bool:
    seen: Rollout = curlew.show(ROLLOUT)
    expect(seen.state == "RUNNING", f"the rollout is {seen.state}: {seen.describe_failure()}")
    return seen.waits_for_gate(gate)


def check_secrets(installation: Installation) -> None:
    """No password and no key in a log or a command line."""
    words = [*installation.passwords.values(), installation.cluster.passwords["curlew"], "PRIVATE KEY"]
    for pod in installation.node.pods:
        text = "".join(path.read_text(errors="replace") for path in (pod.log, pod.output) if path.exists())
        if pod.process is not None and pod.process.poll() is None:
            text += Path(f"/proc/{pod.process.pid}/cmdline").read_text().replace("\0", " ")
        for word in words:
            expect(word not in text, f"{pod.name} shows a secret")


def sqlite_keeps_what_it_knows(node: Node, files: Path) -> None:
    """One controller with a volume: what it knew is there after its pod was replaced."""
    found = objects(render(values={
        "controller": {"tls": {"existingSecret": "controller-tls"},
                       "access": {"roles": [{"role": "admin", "users": ["ada"]}]}},
        "test": {"enabled": True, "tls": {"existingSecret": "test-tls"}}}))
    for config_map in of_kind("ConfigMap", found):
        node.apply(config_map)
    template = pod_of(named("Deployment", "curlew-controller", found))
    curlew = PodCurlew(node, pod_of(named("Pod", "curlew-test", found)), "ada", files)
    for name in ("sqlite-1", "sqlite-2"):
        controller = Pod(node, name, template).start().wait_ready()
        node.dns.names = {f"{HEADLESS}.{DOMAIN}": [controller.address]}
        if name == "sqlite-1":
            curlew.run("env", "apply", "/files/environments.yaml")
        else:
            expect("production-2" in curlew.run("target", "list"), "the pipeline was lost with the pod")
        controller.stop()
    say("one controller on SQLite kept what it knew over a new pod")


BEGAN = time.monotonic()


def main() -> int:
    programs = Path(sys.argv[1]).resolve()
    chart.need("helm")
    if os.geteuid() != 0:
        chart.skip("pods need root: namespaces for mounts and network are made")
    try:
        kubelet.enter_node(sys.argv)
    except OSError as error:
        chart.skip(str(error))
    from authority import Authority  # Needs YAML, which chart.need() has seen.

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # By way of what cleans up.
    root = Path(tempfile.mkdtemp(prefix="curlew-pods-", dir="/var/tmp"))
    root.chmod(0o711)  # The server's user passes through.
    installation = Installation(root, programs)
    try:
        installation.start_database()
        authority = Authority(programs / "curlew", root / "pki")
        installation.make_secrets(authority)
        say("PostgreSQL, Secrets and certificates are there")
        installation.publish()
        installation.start_controller()
        installation.start_controller()
        say("two controllers are ready, by their probes")
        installation.start_agents()
        say("three agents are well, by their probes")
        status, output = Pod(installation.node, "helm-test", installation.test_pod).run()
        expect(status == 0, f"helm test ended with status {status}:\n{output}")
        check_rights(installation)
        check_strangers(installation, Authority(programs / "curlew", root / "stranger-pki"))
        say("rights are as the chart says; strangers are refused")
        roll_out(installation, authority)
        check_secrets(installation)
        for pod in [*installation.agents.values(), *installation.controllers]:
            say(f"{pod.name} ended {pod.stop():.1f} s after SIGTERM, with status 0")
        sqlite_keeps_what_it_knows(installation.node, installation.files)
    finally:
        installation.node.close()
        installation.cluster.stop()
        if os.environ.get("CURLEW_KEEP"):
            print(f"kept: {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
