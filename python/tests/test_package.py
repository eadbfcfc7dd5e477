"""The package as it is installed: its version, its types, what it imports."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import stream_client

from .peers import GREY, ScriptedServer, describe, end, frame
from .support import HOST, ROOT, StreamTestCase, package_without

PACKAGE = ROOT / "python"

IMPORT = """
import sys
import stream_client
assert not {"numpy", "cv2"} & set(sys.modules), sorted(sys.modules)
print(stream_client.__version__, stream_client.__file__)
"""


def has(*modules):
    """Whether modules are installed."""
    return all(importlib.util.find_spec(name) is not None for name in modules)


def run(*args, **environment):
    """Runs this Python to its end; gives its exit code and all that it printed."""
    ending = subprocess.run(
        [sys.executable, *map(str, args)], env={**os.environ, **environment}, cwd="/",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    return ending.returncode, ending.stdout


class Package(StreamTestCase):
    def test_the_version_is_that_of_the_project(self):
        config = json.loads((ROOT / "deno.json").read_text())
        self.assertEqual(stream_client.__version__, config["version"])

    def test_everything_that_is_named_is_there_and_documented(self):
        for name in stream_client.__all__:
            self.assertTrue(getattr(stream_client, name).__doc__, name)

    def test_importing_it_imports_neither_numpy_nor_opencv(self):
        code, said = run("-c", IMPORT, PYTHONPATH=str(PACKAGE))
        self.assertEqual(code, 0, said)

    def test_it_depends_on_nothing(self):
        text = (PACKAGE / "pyproject.toml").read_text()
        self.assertIsNone(re.search(r"^dependencies", text, re.MULTILINE))
        standard = getattr(sys, "stdlib_module_names", None)
        for path in (PACKAGE / "stream_client").glob("*.py"):
            for name in re.findall(r"^(?:import|from) (\w+)", path.read_text(), re.MULTILINE):
                self.assertTrue(standard is None or name in standard, f"{path}: {name}")

    def test_without_numpy_bytes_arrive_and_images_say_what_is_missing(self):
        def script(peer, _):
            peer.send(describe(GREY), frame(7), end((0, 1, 8)))

        with package_without("numpy", "cv2") as package:
            with package.Stream(HOST, port=ScriptedServer(self, script).port) as stream:
                (got,) = stream
            self.assertEqual(bytes(got.bytes), bytes([7]) * 8)
            for use in (lambda: got.image, lambda: got.planes, got.to_bgr):
                self.assertRaisesRegex(ImportError, "pip install numpy.*frame.bytes", use)


@unittest.skipUnless(has("mypy"), "no mypy")
class Types(StreamTestCase):
    def test_mypy_is_content(self):
        with tempfile.TemporaryDirectory() as cache:
            code, said = run(
                "-m", "mypy", "--config-file", PACKAGE / "pyproject.toml", "--strict",
                # The types of the installed numpy may need what is new in this Python.
                "--python-version", "{}.{}".format(*sys.version_info),
                "--cache-dir", cache, PACKAGE / "stream_client",
            )
        self.assertEqual(code, 0, said)


@unittest.skipUnless(has("pip", "setuptools", "wheel"), "no pip, setuptools and wheel")
class Installation(StreamTestCase):
    def test_pip_installs_it(self):
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "source"), Path(folder, "target")
            ignore = shutil.ignore_patterns("tests", "__pycache__", "build", "*.egg-info")
            shutil.copytree(PACKAGE, source, ignore=ignore)
            code, said = run(
                "-m", "pip", "install", "--no-build-isolation", "--no-deps", "--no-index",
                "--no-cache-dir", "--disable-pip-version-check", "--target", target, source,
            )
            self.assertEqual(code, 0, said)
            self.assertTrue((target / "stream_client" / "py.typed").exists())
            self.assertFalse((target / "tests").exists())
            code, said = run("-c", IMPORT, PYTHONPATH=str(target))
            self.assertEqual((code, said.split()), (0, [
                stream_client.__version__, str(target / "stream_client" / "__init__.py"),
            ]), said)
            (metadata,) = target.glob("stream_client-*.dist-info/METADATA")
            text = metadata.read_text()
            self.assertIn(f"Version: {stream_client.__version__}\n", text)
            self.assertNotRegex(text, "(?m)^Requires-Dist: (?!.*extra ==)")


if __name__ == "__main__":
    unittest.main()
