#!/usr/bin/python3
"""The chart as helm renders it: against golden output, against the types of Kubernetes, and for what must hold
together. Values that are refused, and what they are told.

CURLEW_UPDATE_GOLDEN=1 writes tests/helm/golden anew. Where helm is not installed, the test is skipped.
"""

from __future__ import annotations

import copy
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import chart
from chart import CHART, REPOSITORY, load, named, objects, of_kind, pod_of, render, selects, tool

HERE = Path(__file__).parent
EXAMPLES = REPOSITORY / "examples" / "kubernetes"
MINIMAL = EXAMPLES / "minimal.yaml"
MANIFESTS = (EXAMPLES / "sidecar.yaml", EXAMPLES / "cloudnative-pg" / "cluster.yaml")
# Name of the golden file -> values.
SCENARIOS = {path.stem: path for path in sorted((HERE / "values").glob("*.yaml"))} | {
    "minimal": MINIMAL,
    "production": EXAMPLES / "production.yaml",
    "cloudnative-pg": EXAMPLES / "cloudnative-pg" / "values.yaml",
}
ALERT = re.compile(r"- alert: (\w+).*?\n\s+expr: (.*)")
METRIC = re.compile(r"\b(curlew_\w+)(?:\{([^}]*)\})?")


@functools.cache
def text_of(name: str) -> str:
    """What helm makes of a scenario."""
    return render(SCENARIOS[name])


def rendered() -> dict[str, list[dict]]:
    return {name: objects(text_of(name)) for name in SCENARIOS}


def notes(file: Path) -> str:
    """What is printed after an installation: helm shows it with a cluster only, so a copy of the chart carries it."""
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "curlew"
        shutil.copytree(CHART, copied)
        text = (copied / "templates" / "NOTES.txt").read_text()
        (copied / "templates" / "_notes.tpl").write_text(f'{{{{ define "notes" }}}}{text}{{{{ end }}}}')
        (copied / "templates" / "notes.yaml").write_text(
            'kind: Notes\napiVersion: v1\ntext: {{ include "notes" . | toJson }}\n')
        return objects(render(file, chart=copied, options=("--show-only", "templates/notes.yaml")))[0]["text"]


def immutable(thing: dict) -> object:
    """What an API server lets nobody change of an object that is there."""
    spec = thing.get("spec", {})
    if thing["kind"] == "Deployment":
        return spec["selector"]
    if thing["kind"] == "Service":
        return spec.get("clusterIP")
    if thing["kind"] == "PersistentVolumeClaim":
        return {key: spec.get(key) for key in ("accessModes", "storageClassName")}
    return None


def cannot_be_upgraded(before: list[dict], after: list[dict]) -> list[str]:
    """Objects of both renders that differ in what nobody may change."""
    old = {(thing["kind"], thing["metadata"]["name"]): immutable(thing) for thing in before}
    return [f"{thing['kind']} {thing['metadata']['name']}" for thing in after
            if (key := (thing["kind"], thing["metadata"]["name"])) in old and old[key] != immutable(thing)]


class Rendered(unittest.TestCase):
    """What comes out."""

    maxDiff = None

    def test_is_what_it_was(self):
        for name in SCENARIOS:
            golden = HERE / "golden" / f"{name}.yaml"
            text = text_of(name)
            if os.environ.get("CURLEW_UPDATE_GOLDEN"):
                golden.write_text(text)
            with self.subTest(name):
                self.assertEqual(golden.read_text() if golden.exists() else "", text,
                                 "where the change is meant, CURLEW_UPDATE_GOLDEN=1 writes it")
        self.assertEqual({path.stem for path in (HERE / "golden").glob("*.yaml")}, set(SCENARIOS))

    def test_passes_lint(self):
        for name, file in SCENARIOS.items():
            with self.subTest(name):
                chart.helm("lint", "--strict", str(CHART), "--values", str(file))

    def test_is_what_an_api_server_takes_and_restricted(self):
        """Strictly decoded into the types of Kubernetes; every pod judged by the restricted Pod Security Standard."""
        if tool("manifests") is None:
            self.skipTest("manifests is not here; ./dev setup --kubernetes builds it")
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for name in SCENARIOS:
                files.append(Path(folder) / f"{name}.yaml")
                files[-1].write_text(text_of(name))
            unknown = ["--unknown", "postgresql.cnpg.io/v1"]
            command = [str(tool("manifests")), *unknown, *map(str, [*files, *MANIFESTS])]
            done = subprocess.run(command, text=True, capture_output=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            print(done.stdout.splitlines()[-1])
            # And it does find what is wrong.
            text = files[0].read_text()
            for wrong, says in ((text.replace("runAsNonRoot: true", "runAsNonRoot: false"), "not restricted"),
                                (text.replace("serviceAccountName:", "serviceAcountName:"), "unknown field")):
                files[0].write_text(wrong)
                done = subprocess.run([command[0], str(files[0])], text=True, capture_output=True, check=False)
                self.assertIn(says, done.stdout)
                self.assertEqual(done.returncode, 1)

    def test_hangs_together(self):
        for name, found in rendered().items():
            with self.subTest(name):
                self.assertEqual(len({(t["kind"], t["metadata"]["name"]) for t in found}), len(found))
                self.check_pods(found)
                self.check_selectors(found)

    def check_pods(self, found: list[dict]):
        config_maps = {t["metadata"]["name"] for t in of_kind("ConfigMap", found)}
        accounts = {t["metadata"]["name"] for t in of_kind("ServiceAccount", found)} | {"default", "shared"}
        for thing in found:
            pod = pod_of(thing)
            if pod is None:
                continue
            spec = pod["spec"]
            self.assertIs(spec["automountServiceAccountToken"], False)
            if "serviceAccountName" in spec:
                self.assertIn(spec["serviceAccountName"], accounts)
            volumes = {volume["name"]: volume for volume in spec["volumes"]}
            self.assertEqual(len(volumes), len(spec["volumes"]))
            for volume in volumes.values():
                if thing["kind"] == "Deployment" and volume["name"] == "config":
                    self.assertIn(volume["configMap"]["name"], config_maps)
            for container in spec["containers"]:
                mounts = container["volumeMounts"]
                self.assertLessEqual({mount["name"] for mount in mounts}, set(volumes))
                self.assertEqual(len({mount["mountPath"] for mount in mounts}), len(mounts))
                self.assertFalse([mount for mount in mounts if "subPath" in mount], "a subPath is never renewed")
                ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
                for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                    for kind in ("grpc", "httpGet"):
                        if port := container.get(probe, {}).get(kind, {}).get("port"):
                            self.assertIn(port, [*ports, *ports.values()])
                # A file that a flag names is below a mount, and every address has a port that is named.
                for argument in container["args"]:
                    value = argument.partition("=")[2]
                    if value.startswith("/"):
                        self.assertTrue([m for m in mounts if value.startswith(m["mountPath"] + "/")
                                         or value == m["mountPath"]], argument)
                    if argument.split("=")[0] in ("--listen", "--health", "--metrics"):
                        self.assertIn(int(value.rpartition(":")[2]), ports.values())

    def check_selectors(self, found: list[dict]):
        pods = [pod for thing in found if (pod := pod_of(thing))]
        labels = [pod["metadata"]["labels"] for pod in pods]
        for thing in found:
            spec = thing.get("spec", {})
            if thing["kind"] == "Deployment":
                selector = spec["selector"]["matchLabels"]
                self.assertTrue(selects(selector, spec["template"]["metadata"]["labels"]))
                self.assertEqual(sum(selects(selector, those) for those in labels), 1)
            elif thing["kind"] in ("PodDisruptionBudget", "PodMonitor"):
                self.assertTrue(any(selects(spec["selector"]["matchLabels"], those) for those in labels))
            elif thing["kind"] == "NetworkPolicy":
                self.assertEqual(sum(selects(spec["podSelector"]["matchLabels"], those) for those in labels), 1)
                for rule in [*spec["ingress"], *spec["egress"]]:
                    self.assertTrue(rule["ports"], "a rule without ports allows all")
            elif thing["kind"] == "Service":
                self.assertEqual(sum(selects(spec["selector"], those) for those in labels), 1)
            elif thing["kind"] == "ServiceMonitor":
                services = [s for s in of_kind("Service", found)
                            if selects(spec["selector"]["matchLabels"], s["metadata"]["labels"])]
                self.assertEqual(len(services), 1)
                self.assertIn(spec["endpoints"][0]["port"], [port["name"] for port in services[0]["spec"]["ports"]])

    def test_every_pod_has_a_policy(self):
        for name, found in rendered().items():
            policies = [p["spec"]["podSelector"]["matchLabels"] for p in of_kind("NetworkPolicy", found)]
            for thing in found:
                if (pod := pod_of(thing)) and policies:
                    with self.subTest(f"{name}, {thing['metadata']['name']}"):
                        self.assertTrue(any(selects(p, pod["metadata"]["labels"]) for p in policies))

    def test_nobody_dials_an_agent_but_for_its_numbers(self):
        for name, found in rendered().items():
            for policy in of_kind("NetworkPolicy", found):
                if policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] != "agent":
                    continue
                with self.subTest(name):
                    self.assertIn("Ingress", policy["spec"]["policyTypes"])
                    self.assertEqual([port for rule in policy["spec"]["ingress"] for port in rule["ports"]],
                                     [{"port": "metrics"}])

    def test_agents_dial_a_name_that_the_controllers_certificate_has(self):
        found = rendered()["minimal"]
        certificate = named("Certificate", "curlew-controller", found)
        services = {s["metadata"]["name"] for s in of_kind("Service", found)}
        agent = named("Deployment", "curlew-agent-staging-crm", found)
        address = next(a for a in agent["spec"]["template"]["spec"]["containers"][0]["args"] if "--controller" in a)
        host, _, port = address.removeprefix("--controller=dns:///").rpartition(":")
        self.assertIn(host, certificate["spec"]["dnsNames"])
        self.assertIn(host.split(".")[0], services)
        self.assertIn(int(port), [p["port"] for p in named("Service", host.split(".")[0], found)["spec"]["ports"]])

    def test_a_certificate_is_one_identity(self):
        for name, found in rendered().items():
            secrets = [c["spec"]["secretName"] for c in of_kind("Certificate", found)]
            self.assertEqual(len(set(secrets)), len(secrets))
            for certificate in of_kind("Certificate", found):
                spec = certificate["spec"]
                if spec.get("isCA"):
                    continue
                with self.subTest(f"{name}, {certificate['metadata']['name']}"):
                    self.assertEqual(len(spec["uris"]), 1)
                    path = spec["uris"][0].split("/", 3)[3]
                    self.assertEqual(spec["commonName"], path.split("/")[-1])
                    self.assertEqual("server auth" in spec["usages"], path == "controller")
                    self.assertIn("client auth", spec["usages"])

    def test_agents_are_let_in_for_their_targets(self):
        for name, found in rendered().items():
            maps = [c for c in of_kind("ConfigMap", found) if c["metadata"]["name"].endswith("-controller")]
            agents = [d for d in of_kind("Deployment", found) if "curlew/agent" in d["metadata"]["labels"]]
            for config_map in maps:
                rules = chart.yaml.safe_load(config_map["data"]["access.yaml"])
                allowed = {entry["agent"]: entry["targets"] for entry in rules["agents"]}
                for agent in agents:
                    labels = agent["metadata"]["labels"]
                    with self.subTest(f"{name}, {labels['curlew/agent']}"):
                        self.assertEqual(allowed[labels["curlew/agent"]], [labels["curlew/target"]])

    def test_trust_stands_in_the_agents_file(self):
        found = rendered()["everything"]
        (agent,) = [d for d in of_kind("Deployment", found) if "curlew/agent" in d["metadata"]["labels"]]
        self.assertIn("--config=/etc/curlew/agent/agent.yaml",
                      agent["spec"]["template"]["spec"]["containers"][0]["args"])
        file = chart.yaml.safe_load(named("ConfigMap", agent["metadata"]["name"], found)["data"]["agent.yaml"])
        entry = load(SCENARIOS["everything"])["agents"][0]
        self.assertEqual(file, chart.yaml.safe_load(entry["config"]) | {"trust": {
            "environment": "production", "plan_keys": entry["trust"]["planKeys"],
            "approver_keys": entry["trust"]["approverKeys"], "drop_approvals": 2}})
        # Alone, too, and where the text before it ends without a line's end.
        for config in ("", "check_role: reader", "check_role: reader\n"):
            values = load(MINIMAL)
            values["agents"][0] |= {"config": config, "trust": {"planKeys": entry["trust"]["planKeys"], "dropApprovals": 0}}
            maps = of_kind("ConfigMap", objects(render(values=values)))
            (text,) = [m["data"]["agent.yaml"] for m in maps if "agent.yaml" in m["data"]]
            self.assertEqual(chart.yaml.safe_load(text), (chart.yaml.safe_load(config) or {}) | {"trust": {
                "environment": "staging", "plan_keys": entry["trust"]["planKeys"], "drop_approvals": 0}})

    def test_holds_no_secret_and_gives_no_rights(self):
        for name, found in rendered().items():
            with self.subTest(name):
                self.assertFalse([t for t in found if t["kind"] in ("Secret", "Role", "ClusterRole", "RoleBinding",
                                                                   "ClusterRoleBinding")])

    def test_names_fit(self):
        """The longest names that Kubernetes and the schema allow."""
        values = load(MINIMAL)
        values["agents"][0]["name"] = "a" * 40
        for thing in objects(render(values=values, release="r" * 53)):
            limit = 63 if thing["kind"] == "Service" else 253
            self.assertLessEqual(len(thing["metadata"]["name"]), limit)
            for value in thing["metadata"]["labels"].values():
                self.assertLessEqual(len(value), 63)


class Changes(unittest.TestCase):
    """What an upgrade does."""

    def pod_templates(self, values: dict, folder: Path = CHART) -> dict[str, dict]:
        return {thing["metadata"]["name"]: thing["spec"]["template"]
                for thing in of_kind("Deployment", objects(render(values=values, chart=folder)))}

    def test_a_file_that_changes_starts_its_agent_anew(self):
        values = load(EXAMPLES / "production.yaml")
        before = self.pod_templates(values)
        values["agents"][1]["config"] += "# changed\n"
        after = self.pod_templates(values)
        self.assertEqual([name for name in before if before[name] != after[name]], ["curlew-agent-production-crm"])

    def test_another_version_of_the_chart_alone_restarts_nobody(self):
        with tempfile.TemporaryDirectory() as folder:
            newer = Path(folder) / "curlew"
            shutil.copytree(CHART, newer)
            text = (newer / "Chart.yaml").read_text()
            (newer / "Chart.yaml").write_text(re.sub(r"^version: .*$", "version: 99.0.0", text, flags=re.M))
            values = load(EXAMPLES / "production.yaml")
            self.assertEqual(self.pod_templates(values), self.pod_templates(values, newer))

    def test_upgrades_from_every_earlier_chart(self):
        """tests/helm/previous has the charts of earlier releases, as `helm package` makes them."""
        earlier = sorted((HERE / "previous").glob("*.tgz"))
        if not earlier:
            print("no earlier chart was released: nothing to upgrade from")
        for archive in earlier:
            for name, file in SCENARIOS.items():
                with self.subTest(f"{archive.name}, {name}"):
                    try:
                        before = objects(render(file, chart=archive))
                    except chart.Refused:
                        continue  # Values that it did not have yet.
                    self.assertEqual(cannot_be_upgraded(before, rendered()[name]), [])

    def test_what_cannot_be_upgraded_is_found(self):
        before = rendered()["minimal"]
        after = copy.deepcopy(before)
        self.assertEqual(cannot_be_upgraded(before, after), [])
        named("Deployment", "curlew-controller", after)["spec"]["selector"]["matchLabels"]["new"] = "label"
        self.assertEqual(cannot_be_upgraded(before, after), ["Deployment curlew-controller"])


class Refusals(unittest.TestCase):
    """Values that cannot be."""

    def test_say_what_is_wrong(self):
        cases = chart.yaml.safe_load((HERE / "refusals.yaml").read_text())
        with tempfile.TemporaryDirectory() as folder:
            bad = Path(folder) / "bad.yaml"
            for case in cases:
                bad.write_text(chart.yaml.safe_dump(case["values"]))
                with self.subTest(json.dumps(case["values"])):
                    with self.assertRaises(chart.Refused) as refused:
                        render(MINIMAL, bad)
                    for text in case["says"]:
                        self.assertIn(text, str(refused.exception))
                    for text in case.get("never", []):
                        self.assertNotIn(text, str(refused.exception))
        print(f"{len(cases)} values refused")

    def test_of_several_faults_all_are_told(self):
        with self.assertRaises(chart.Refused) as refused:
            render(values={"controller": {"replicas": 3}, "test": {"enabled": True}})
        # Replicas, the controller's certificate, nobody may do anything, the test's certificate.
        self.assertEqual(str(refused.exception).count("\n  * "), 4)

    def test_every_value_has_its_place_in_the_schema(self):
        schema = json.loads((CHART / "values.schema.json").read_text())

        def check(values: dict, node: dict, path: str):
            if "$ref" in node:
                node = schema["definitions"][node["$ref"].rsplit("/", 1)[1]]
            if "properties" not in node:
                return
            self.assertIs(node.get("additionalProperties"), False, path)
            extra = {"global"} if not path else set()
            optional = {"initialDelaySeconds", "claims"}
            self.assertEqual(set(values), set(node["properties"]) - extra - optional, path)
            for key, value in values.items():
                if isinstance(value, dict):
                    check(value, node["properties"][key], f"{path}.{key}")

        check(load(CHART / "values.yaml"), schema, "")


class Documents(unittest.TestCase):
    """What is said elsewhere, too."""

    def test_the_page_of_values_is_up_to_date(self):
        done = subprocess.run([sys.executable, str(REPOSITORY / "tools/kubernetes/values_readme.py"), "--check"],
                              text=True, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_chart_is_of_the_projects_version(self):
        version = re.search(r"^project\(curlew VERSION ([0-9.]+)", (REPOSITORY / "CMakeLists.txt").read_text(), re.M)
        self.assertEqual(load(CHART / "Chart.yaml")["appVersion"], version.group(1))

    def test_notes_name_what_is_there(self):
        for name, file in SCENARIOS.items():
            said = notes(file)
            services = {s["metadata"]["name"] for s in of_kind("Service", rendered()[name])}
            secrets = {c["spec"]["secretName"] for c in of_kind("Certificate", rendered()[name])}
            with self.subTest(name):
                self.assertIn("is installed as curlew in the namespace databases.", said)
                self.assertEqual(set(re.findall(r"service/(\S+)", said)), {
                    service for service in services if service.endswith("-controller")})
                self.assertLessEqual({host.split(".")[0] for host in re.findall(r"[\w.-]+\.svc\b", said)}, services)
                self.assertLessEqual(set(re.findall(r"get secret (\S+)", said)), secrets)


class Alerts(unittest.TestCase):
    """Rules, against docs/metrics.md and, where it is installed, by Prometheus's own tool."""

    def setUp(self):
        self.page = (REPOSITORY / "docs" / "metrics.md").read_text()
        self.rule = named("PrometheusRule", "curlew", rendered()["production"])
        self.rules = {rule["alert"]: rule for rule in self.rule["spec"]["groups"][0]["rules"]}

    def test_those_of_the_page_are_there_for_the_releases_namespace(self):
        documented = dict(ALERT.findall(self.page))
        self.assertGreater(len(documented), 4)
        for name, expression in documented.items():
            mine = re.sub(r'namespace="databases"(, )?', "", self.rules[name]["expr"]).replace("{}", "")
            self.assertEqual(mine, expression)

    def test_metrics_and_labels_are_those_of_the_page(self):
        metrics = {}
        for name, kind, labels in re.findall(r"^\| `(curlew_\w+)` \| (\w+) \|[^|]*\|([^|]*)\|", self.page, re.M):
            metrics[name] = {label.strip() for label in labels.split(",")} | {"namespace"}
        for rule in self.rules.values():
            used = METRIC.findall(rule["expr"])
            self.assertTrue(used)
            for name, matchers in used:
                self.assertIn(name, metrics)
                self.assertLessEqual(set(re.findall(r"(\w+)(?:=|!=|=~|!~)\"", matchers)), metrics[name])
                by = re.search(r"by \(([^)]*)\)", rule["expr"])
                grouped = {label.strip() for label in by.group(1).split(",")} if by else set()
                self.assertLessEqual(grouped, metrics[name])
                said = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["description"]))
                self.assertLessEqual(said, grouped)

    def test_each_one_fires(self):
        """By promtool, over series that are made up."""
        if tool("promtool") is None:
            self.skipTest("promtool is not here; ./dev setup --kubernetes unpacks it")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "rules.yaml").write_text(chart.yaml.safe_dump(self.rule["spec"]))
            shutil.copy(HERE / "alerts_test.yaml", folder)
            for command in (["check", "rules", "rules.yaml"], ["test", "rules", "alerts_test.yaml"]):
                done = subprocess.run([str(tool("promtool")), *command], cwd=folder, text=True, capture_output=True,
                                      check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        tested = {name for case in load(HERE / "alerts_test.yaml")["tests"]
                  for name in [test["alertname"] for test in case["alert_rule_test"] if test.get("exp_alerts")]}
        self.assertEqual(tested, set(self.rules))


if __name__ == "__main__":
    chart.need("helm")
    unittest.main()
