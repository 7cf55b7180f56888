#!/usr/bin/python3
"""What is in an image, and whether its program runs in it as in a pod.

    test_images.py --assemble BIN             what images/assemble.sh makes of this machine's packages and BIN's programs
    test_images.py --archives FOLDER [NAME...]  images that ./dev image has built

Without root nothing is run: those tests are skipped. The last lines say how large the images are.
"""

from __future__ import annotations

import ctypes
import datetime
import hashlib
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import unittest

import container
import image as images

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
sys.path.insert(0, str(SOURCE / "bench"))
import health  # noqa: E402  (an observer that shares no code with the controller)

# The bound of an image, in MB of 10^6 bytes: about a fifth above what they are. One that grows more has got something
# that nobody meant to ship.
MOST_MEGABYTES = 65
OTHERS = {"agent": {"pg_dump", "pg_restore", "psql"}}
SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "perl", "python3", "apt", "apt-get", "dpkg", "rpm", "curl",
          "wget", "ldconfig", "openssl"}
SOURCES = {".cc", ".h", ".hh", ".cpp", ".proto", ".cmake", ".py", ".sh", ".sql", ".a", ".o", ".md", ".yaml", ".yml"}


class ContentsTest(unittest.TestCase):
    """The files of one image."""
    image: images.Image

    def test_programs_are_the_images_own_and_nothing_else_can_be_run(self):
        image = self.image
        allowed = {images.PROGRAMS[image.name]} | OTHERS.get(image.name, set())
        found = set()
        for file in regular(image):
            with open(image.root / file.path, "rb") as opened:
                begin = opened.read(4)
            self.assertNotEqual(begin[:2], b"#!", f"{file.path} is a script")
            if begin == b"\x7fELF" and ".so" not in os.path.basename(file.path):
                found.add(os.path.basename(file.path))
            elif file.mode & 0o111 and begin != b"\x7fELF":
                self.fail(f"{file.path} may be executed")
        self.assertEqual(found, allowed)
        there = {os.path.basename(file.path) for file in image.files.values() if not stat.S_ISDIR(file.mode)}
        self.assertEqual(there & SHELLS, set())

    def test_nothing_has_more_rights_than_its_owner_gave_and_only_tmp_is_for_everybody(self):
        image = self.image
        for file in image.files.values():
            self.assertIn(stat.S_IFMT(file.mode), (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK), file)
            if file.path == "tmp":
                self.assertEqual(stat.S_IMODE(file.mode), 0o1777)
                continue
            self.assertFalse(file.mode & (stat.S_ISUID | stat.S_ISGID), f"{file.path} runs as another")
            if not stat.S_ISLNK(file.mode):
                self.assertFalse(file.mode & stat.S_IWOTH, f"{file.path} can be written by everybody")
                self.assertTrue(file.mode & stat.S_IROTH, f"{file.path} cannot be read")
            self.assertEqual((file.user, file.group), (65532, 65532) if file.path == "data" else (0, 0), file)

    def test_nothing_of_the_source_or_of_the_build_is_left(self):
        image = self.image
        for file in regular(image):
            self.assertNotIn(os.path.splitext(file.path)[1], SOURCES, file.path)
            self.assertFalse(file.path.startswith(("src/", "work/", "programs/", "out/", "root/", "var/cache/", "var/lib/apt/")),
                             file.path)
        top = {path.split("/")[0] for path in image.files}
        self.assertLessEqual(top, {"dev", "proc", "sys", "tmp", "data", "etc", "home", "lib", "lib64", "usr", "var"})
        sections = subprocess.run(["readelf", "--sections", "--wide", image.root / image.program[1:]], check=True,
                                  capture_output=True, text=True).stdout
        self.assertNotIn(".debug_info", sections)
        self.assertNotIn(".symtab", sections)

    def test_links_lead_to_what_is_in_the_image(self):
        image = self.image
        for file in image.files.values():
            if stat.S_ISLNK(file.mode):
                self.assertTrue(resolve(image, file.path) in image.files, f"{file.path} -> {file.link} leads nowhere")

    def test_each_library_that_is_needed_is_there_and_each_that_is_there_is_needed(self):
        image = self.image
        folder = images.multiarch(image)
        needed = set()
        for path in elf_files(image):
            told = subprocess.run(["readelf", "--dynamic", "--program-headers", "--wide", image.root / path], check=True,
                                  capture_output=True, text=True).stdout
            for name in re.findall(r"\(NEEDED\).*\[(.+)\]", told):
                self.assertTrue(f"{folder}/{name}" in image.files, f"{path} needs {name}, which is not there")
                needed.add(resolve(image, f"{folder}/{name}"))
            for name in re.findall(r"interpreter: (.+)\]", told):
                needed.add(resolve(image, name[1:]))
                self.assertTrue(resolve(image, name[1:]) in image.files, f"{path} is loaded by {name}, which is not there")
            self.assertNotRegex(told, r"\((RPATH|RUNPATH)\)", f"{path} looks for libraries where nobody does")
        there = {file.path for file in regular(image) if file.path.startswith(folder + "/")}
        self.assertEqual(there, needed)

    def test_each_file_is_a_packages_unchanged_and_scanners_find_which(self):
        image = self.image
        records = image.root / "var/lib/dpkg/status.d"
        hashes = {}
        for record in records.iterdir():
            if record.suffix == ".md5sums":
                for line in record.read_text().splitlines():
                    digest, path = line.split("  ", 1)
                    self.assertFalse(path in hashes, f"{path} is of two packages")
                    hashes[path] = digest
                continue
            fields = dict(re.findall(r"^(\S+): (.+)$", record.read_text(), re.MULTILINE))
            self.assertEqual(fields["Package"], record.name)
            self.assertEqual(fields["Status"], "install ok installed")
            self.assertIn("Version", fields)
            self.assertTrue((image.root / "usr/share/doc" / record.name / "copyright").is_file(), record.name)
            self.assertTrue((records / f"{record.name}.md5sums").exists(), record.name)
        own = {image.program[1:], "etc/passwd", "etc/group", "etc/nsswitch.conf"}
        # Made by its package, or a setting; neither is in any list of hashes.
        without = {"etc/ssl/certs/ca-certificates.crt", "etc/debian_version"}
        for file in regular(image):
            if file.path in own | without or file.path.startswith(("var/lib/dpkg/", "usr/share/doc/")):
                continue
            self.assertTrue(file.path in hashes, f"no package is known to have {file.path}")
            content = (image.root / file.path).read_bytes()
            self.assertEqual(hashlib.md5(content, usedforsecurity=False).hexdigest(), hashes[file.path], file.path)
        self.assertRegex((image.root / "etc/os-release").read_text(), r'(?m)^ID=debian$')

    def test_what_programs_look_up_is_there(self):
        image = self.image
        self.assertIn("65532", (image.root / "etc/passwd").read_text())
        self.assertRegex((image.root / "etc/nsswitch.conf").read_text(), r"(?m)^hosts: files dns$")
        for zone in ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "Etc/GMT+5"):
            self.assertTrue((image.root / "usr/share/zoneinfo" / zone).is_file(), zone)
        self.assertTrue("usr/lib/locale/C.utf8/LC_CTYPE" in image.files)
        authorities = (image.root / "etc/ssl/certs/ca-certificates.crt").read_text()
        self.assertGreater(authorities.count("BEGIN CERTIFICATE"), 100)
        # OpenSSL looks for authorities in a file below the folder that it was built with.
        crypto = ctypes.CDLL(str(image.root / images.multiarch(image) / "libcrypto.so.3"))
        crypto.OpenSSL_version.restype = ctypes.c_char_p
        told = crypto.OpenSSL_version(4).decode()
        folder = re.fullmatch(r'OPENSSLDIR: "/(.+)"', told).group(1)
        self.assertEqual(resolve(image, f"{folder}/cert.pem"), "etc/ssl/certs/ca-certificates.crt")

    def test_they_are_small(self):
        image = self.image
        packages = sum(1 for path in image.files if re.fullmatch(r"var/lib/dpkg/status\.d/[^/]+(?<!\.md5sums)", path))
        print(f"curlew-{image.name}: {image.megabytes:.1f} MB, {len(image.files)} files of {packages} packages",
              file=sys.stderr)
        self.assertLess(image.megabytes, MOST_MEGABYTES)


class ConfigurationTest(unittest.TestCase):
    """What one image tells those that run it. Not of roots that were only assembled."""
    image: images.Image

    def setUp(self):
        if self.image.config is None:
            self.skipTest("there are no images, only what would be in them; ./dev image --check builds and tests those")

    def test_it_runs_as_nobody_in_particular_and_ends_on_sigterm(self):
        image = self.image
        config = image.config["config"]
        self.assertEqual(config["User"], "65532:65532")
        self.assertEqual(config["Entrypoint"], [image.program])
        self.assertFalse(config.get("Cmd"))
        self.assertFalse(config.get("Volumes"))
        self.assertEqual(config["StopSignal"], "SIGTERM")
        self.assertEqual(config["WorkingDir"], "/data")
        self.assertEqual(sorted(config["Env"]), ["LANG=C.UTF-8", "PATH=/usr/bin"])
        self.assertEqual(stat.S_IMODE(image.files["data"].mode), 0o755)
        self.assertEqual(image.config["os"], "linux")

    def test_its_labels_say_what_it_is(self):
        version = re.search(r"project\(curlew VERSION ([0-9.]+)", (SOURCE / "CMakeLists.txt").read_text()).group(1)
        image = self.image
        labels = image.config["config"]["Labels"]
        told = {name.removeprefix("org.opencontainers.image."): value for name, value in labels.items()}
        self.assertEqual(told.keys(), {"title", "description", "licenses", "vendor", "version", "revision", "created"})
        self.assertEqual(told["title"], f"curlew-{image.name}")
        self.assertEqual(told["version"], version)
        self.assertEqual(told["licenses"], "Apache-2.0")
        self.assertRegex(told["revision"], r"^([0-9a-f]{40})?$")
        self.assertRegex(told["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(image.config["created"][:19], told["created"][:19])

    def test_no_file_is_newer_than_the_source(self):
        image = self.image
        created = datetime.datetime.fromisoformat(image.config["config"]["Labels"]["org.opencontainers.image.created"])
        self.assertLessEqual(max(file.time for file in image.files.values()), created.timestamp())


class RunningTest(unittest.TestCase):
    """The programs in their images: read-only, as user 65532, with /data and /tmp."""
    made: dict[str, images.Image] = {}

    def setUp(self):
        if reason := container.why_not():
            self.skipTest(reason)
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.folder.chmod(0o755)

    def command(self, image, *arguments, dns=(), program=None):
        container.prepare(image.root)
        for name in ("data", "tmp"):
            (self.folder / image.name / name).mkdir(parents=True, exist_ok=True)
        settings = image.config["config"]["Env"] if image.config else ["PATH=/usr/bin", "LANG=C.UTF-8"]
        command = ["/usr/bin/python3", "-B", str(HERE / "container.py"), str(image.root), "--cwd=/data"]
        command += [f"--write=/{name}={self.folder / image.name / name}" for name in ("data", "tmp")]
        command += [f"--env={setting}" for setting in settings] + [f"--dns={entry}" for entry in dns]
        return command + ["--", program or image.program, *arguments]

    def run_in(self, image, *arguments, **more):
        return subprocess.run(self.command(image, *arguments, **more), capture_output=True, text=True, timeout=60)

    def start_controller(self, image, transport=None, address="127.0.0.1"):
        """A controller and the port that it serves on; in plain text unless it is said otherwise."""
        process = subprocess.Popen(
            self.command(image, *(transport or ["--insecure"]), "--store", "/data/x.db", "--listen", f"{address}:0"),
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        said = ""
        for line in process.stderr:
            said += line
            if found := re.search(rf"{re.escape(address)}:(\d+)", line):
                return process, int(found.group(1))
        self.fail(f"the controller does not serve: {said}")

    def test_each_program_says_its_version_and_helps(self):
        for image in self.made.values():
            for program in [image.program] + [f"/usr/bin/{name}" for name in sorted(OTHERS.get(image.name, set()))]:
                for flag in ("--version", "--help"):
                    with self.subTest(program=program, flag=flag):
                        done = self.run_in(image, flag, program=program)
                        self.assertEqual(done.returncode, 0, done.stderr)
                        self.assertTrue(done.stdout.strip())

    def test_the_controller_serves_with_nothing_to_write_but_data_and_tmp_and_ends_on_sigterm(self):
        image = self.image("controller")
        process, port = self.start_controller(image)
        self.assertTrue(health.serving(port, "", timeout=10))
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        self.assertEqual(process.wait(timeout=60), 0, rest)
        self.assertGreater((self.folder / "controller/data/x.db").stat().st_size, 0)
        self.assertEqual((self.folder / "controller/data/x.db").stat().st_uid, 65532)

    def test_the_root_is_read_only_and_that_is_said(self):
        image = self.image("controller")
        done = self.run_in(image, "--insecure", "--store", "/etc/x.db", "--listen", "127.0.0.1:0")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("/etc/x.db", done.stderr)

    def test_certificates_made_in_one_image_serve_the_others_under_a_name(self):
        controller, cli = self.image("controller"), self.image("cli")
        host = "in-hosts.curlew.test"
        for arguments in (["init"], ["issue", "controller", "--dns", host], ["issue", "user", "ann"]):
            done = self.run_in(cli, "pki", *arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
        pki = self.data(cli) / "pki"
        (self.data(controller) / "access.yaml").write_text("roles: [{role: viewer, users: [ann]}]\n")
        mounted = self.data(controller) / "tls"
        shutil.copytree(pki / "controller", mounted, symlinks=True)
        for path in (mounted, *mounted.rglob("*")):
            os.chown(path, container.USER, container.USER, follow_symlinks=False)
        _, port = self.start_controller(controller, transport=[*tls("/data/tls"), "--access=/data/access.yaml"], address="127.0.0.9")
        done = self.run_in(cli, "env", "list", "--controller", f"{host}:{port}", *tls("/data/pki/ann"), "--timeout", "30s")
        self.assertEqual(done.returncode, 0, done.stderr)
        # The same by DNS: nobody listens there, and that, not the name, is what fails.
        for name, reason in (("db.curlew.test", "onnection refused"), ("nobody.curlew.test", "nobody.curlew.test")):
            done = self.run_in(cli, "env", "list", "--controller", f"{name}:1", *tls("/data/pki/ann"), "--timeout", "10s",
                               dns=["db.curlew.test=127.0.0.7"])
            self.assertEqual(done.returncode, 6, done.stderr)
            self.assertIn(reason, done.stderr)

    def test_windows_in_time_zones_are_known(self):
        controller, cli = self.image("controller"), self.image("cli")
        _, port = self.start_controller(controller)
        pipeline = (SOURCE / "examples/pipelines/working-hours.yaml").read_text()
        address = ["--insecure", "--controller", f"127.0.0.1:{port}", "--timeout", "30s"]
        for zone, status in (("Europe/Berlin", 0), ("Europe/Atlantis", 4)):
            (self.data(cli) / "pipeline.yaml").write_text(pipeline.replace("Europe/Berlin", zone))
            done = self.run_in(cli, "env", "apply", "/data/pipeline.yaml", *address)
            self.assertEqual(done.returncode, status, done.stderr + done.stdout)
        self.assertIn("Europe/Atlantis", done.stderr)

    def test_names_are_found_in_hosts_and_by_dns(self):
        image = self.image("agent")
        for host, address in (("in-hosts.curlew.test", "127.0.0.9"), ("db.curlew.test", "127.0.0.7")):
            done = self.run_in(image, f"host={host} port=1 user=x dbname=x", program="/usr/bin/psql",
                               dns=["db.curlew.test=127.0.0.7"])
            self.assertEqual(done.returncode, 2)
            self.assertIn(f'"{host}" ({address}), port 1 failed: Connection refused', done.stderr)
        done = self.run_in(image, "host=nobody.curlew.test user=x dbname=x", program="/usr/bin/psql",
                           dns=["db.curlew.test=127.0.0.7"])
        self.assertIn('could not translate host name "nobody.curlew.test"', done.stderr)

    def test_a_dump_is_made_of_a_real_database(self):
        image = self.image("agent")
        database = cluster(self)
        self.data(image)
        done = self.run_in(image, "--format=custom", "--schema=pg_catalog", "--schema-only", "--file=/data/x.dump",
                           f"--dbname={database}", program="/usr/bin/pg_dump")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.run_in(image, "--list", "/data/x.dump", program="/usr/bin/pg_restore")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Format: CUSTOM", done.stdout)

    def image(self, name):
        if name not in self.made:
            self.skipTest(f"the image {name} is not among those that are tested")
        return self.made[name]

    def data(self, image) -> pathlib.Path:
        folder = self.folder / image.name / "data"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def regular(image):
    return [file for file in image.files.values() if stat.S_ISREG(file.mode)]


def elf_files(image) -> list[str]:
    found = []
    for file in regular(image):
        with open(image.root / file.path, "rb") as opened:
            if opened.read(4) == b"\x7fELF":
                found.append(file.path)
    return found


def resolve(image, path: str) -> str:
    """Where a path leads within the image; what it names where that is not there."""
    done, rest = [], path.split("/")
    for _ in range(100):
        if not rest:
            return "/".join(done)
        part = rest.pop(0)
        if part == "..":
            done.pop()
            continue
        file = image.files.get("/".join(done + [part]))
        if file is None or not file.link:
            done.append(part)
            continue
        if file.link.startswith("/"):
            done = []
        rest = [piece for piece in file.link.split("/") if piece and piece != "."] + rest
    return path


def tls(folder: str) -> list[str]:
    return [f"--tls-cert={folder}/tls.crt", f"--tls-key={folder}/tls.key", f"--tls-ca={folder}/ca.crt"]


def cluster(test: unittest.TestCase) -> str:
    """The conninfo of the tests' shared server, by TCP."""
    try:
        lines = pathlib.Path(os.environ["CURLEW_TEST_CLUSTER"]).read_text().splitlines()
    except (KeyError, OSError) as error:
        test.skipTest(f"there is no server to dump from (CURLEW_TEST_CLUSTER): {error}")
    return dict(line.split("=", 1) for line in lines)["CURLEW_TEST_PG_TCP"]


def main() -> None:
    arguments = sys.argv[1:]
    if len(arguments) < 2 or arguments[0] not in ("--assemble", "--archives"):
        sys.exit(__doc__)
    suite = unittest.TestSuite()
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for name in arguments[2:] or images.NAMES:
            image = (images.assembled(name, SOURCE / "images/assemble.sh", pathlib.Path(arguments[1]), pathlib.Path(folder))
                     if arguments[0] == "--assemble" else
                     images.loaded(name, pathlib.Path(arguments[1], f"curlew-{name}.tar"), pathlib.Path(folder)))
            RunningTest.made[name] = image
            for tests in (ContentsTest, ConfigurationTest):
                suite.addTest(load(type(f"{tests.__name__}:{name}", (tests,), {"image": image})))
        suite.addTest(load(RunningTest))
        result = unittest.TextTestRunner(verbosity=2).run(suite)
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
