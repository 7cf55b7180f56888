#!/usr/bin/python3
"""That the Dockerfile and .dockerignore fit the tree and its programs. Builds nothing.

    test_dockerfile.py BIN     BIN has the three programs
"""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import image as images

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
DOCKERFILE = (SOURCE / "images/Dockerfile").read_text()
IGNORE = (SOURCE / ".dockerignore").read_text()


class DockerfileTest(unittest.TestCase):
    bin = pathlib.Path()

    @unittest.skipUnless(shutil.which("dpkg-query"), "without dpkg nobody knows of which packages the libraries are")
    def test_it_installs_the_packages_whose_libraries_the_programs_name(self):
        """Each that is installed is named, and each that is named is installed: what those need comes with them."""
        installed = set(instruction("apt-get install").split("--no-install-recommends")[1].split())
        told = subprocess.run(["readelf", "--dynamic", "--wide", *[self.bin / program for program in images.PROGRAMS.values()]],
                              check=True, capture_output=True, text=True).stdout
        packages = packages_of(set(re.findall(r"\(NEEDED\).*\[(.+)\]", told))) - {"libc6", "libgcc-s1"}
        self.assertLessEqual(packages, installed)
        self.assertEqual(installed - packages, {"postgresql-client-15", "ca-certificates", "tzdata", "binutils"})

    def test_it_builds_with_the_packages_of_dev_and_knows_no_others(self):
        self.assertIn("RUN ./dev setup\n", DOCKERFILE)
        self.assertEqual(DOCKERFILE.count("apt-get install"), 1)

    def test_images_are_made_of_nothing_but_what_was_put_together(self):
        stages = re.split(r"(?m)^FROM ", DOCKERFILE)[1:]
        final = {stage.split()[2]: stage for stage in stages if stage.split()[2] in (*images.NAMES, "common")}
        self.assertEqual(final.keys(), {*images.NAMES, "common"})
        self.assertTrue(final.pop("common").startswith("scratch AS common"))
        for name, stage in final.items():
            self.assertTrue(stage.startswith("common AS"), stage)
            self.assertNotIn("\nRUN", stage)
            self.assertEqual(re.findall(r"\nCOPY (.+)", stage), [f"--from=assembled /out/{name}/ /"])
            self.assertIn(f'ENTRYPOINT ["/usr/bin/{images.PROGRAMS[name]}"]', stage)
        self.assertNotRegex(DOCKERFILE, r"(?m)^ADD ")

    def test_no_secret_can_be_given_to_a_build(self):
        names = re.findall(r"(?m)^(?:ARG|ENV) (\w+)", DOCKERFILE)
        self.assertEqual(set(names), {"BASE", "PROGRAMS", "PREBUILT", "JOBS", "SOURCE_DATE_EPOCH", "VERSION", "REVISION", "CREATED",
                                      "DEBIAN_FRONTEND", "PATH"})

    def test_a_build_sees_what_cmake_reads_and_nothing_by_default(self):
        lines = [line for line in IGNORE.splitlines() if line and not line.startswith("#")]
        self.assertEqual(lines[0], "*")
        seen = {line[2:] for line in lines if line.startswith("!/")}
        folders = set(re.findall(r"(?m)^add_subdirectory\((\w+)\)", (SOURCE / "CMakeLists.txt").read_text()))
        self.assertGreater(len(folders), 5)
        self.assertLessEqual(folders | {"cmake", "CMakeLists.txt", "CMakePresets.json", "dev", "images/assemble.sh"}, seen)
        for path in seen:
            self.assertTrue((SOURCE / path).exists() or path.startswith("build"), f".dockerignore names {path}")
        self.assertTrue(all(re.fullmatch(r"build(-release)?/bin/curlew(-agent|-controller)?", path)
                            for path in seen if path.startswith("build")))


class AssembleTest(unittest.TestCase):
    """What images/assemble.sh refuses."""
    bin = pathlib.Path()

    def refused(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([SOURCE / "images/assemble.sh", *[str(a).replace("FOLDER", folder) for a in arguments]],
                                  capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0)
            return done.stderr

    def test_a_program_that_is_not_there_is_named(self):
        self.assertRegex(self.refused("agent", "FOLDER", "FOLDER/root"), r"there is no .*/curlew-agent\n.*\./dev build curlew-agent")

    def test_nothing_is_put_into_a_folder_that_exists(self):
        self.assertIn("exists", self.refused("cli", self.bin, "FOLDER"))

    def test_an_image_that_nobody_knows_is_refused_with_the_usage(self):
        self.assertIn("usage: images/assemble.sh controller|agent|cli", self.refused("web", self.bin, "FOLDER/root"))


def instruction(words: str) -> str:
    """The instruction of the Dockerfile that has these words, on one line."""
    return next(line for line in re.sub(r"\\\n", " ", DOCKERFILE).splitlines() if words in line)


def packages_of(libraries: set[str]) -> set[str]:
    """The Debian packages with these libraries in the system's folder."""
    told = subprocess.run(["dpkg-query", "-S", *[f"*/{library}" for library in libraries]], check=True, capture_output=True,
                          text=True).stdout
    return {line.split(":")[0] for line in told.splitlines()
            if re.search(r"/lib/[^/]+-linux-gnu[^/]*/[^/]+$", line) and line.rsplit("/", 1)[1] in libraries}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    DockerfileTest.bin = AssembleTest.bin = pathlib.Path(sys.argv.pop())
    unittest.main(verbosity=2)
