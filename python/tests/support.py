"""What the tests share: media that ffmpeg makes, its own decoding of them, and a server."""

import gc
import importlib
import importlib.util
import logging
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import warnings
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import stream_client
from stream_client import Stream

ROOT = Path(__file__).resolve().parents[2]

HOST = "127.0.0.1"

PATIENCE = 60
"""Seconds after which an event that a test waits for counts as missing."""

SERVER = shlex.split(os.environ.get("STREAM_SERVER", "")) or [
    "deno", "run", "-A", "--quiet", str(ROOT / "server.ts"),
]

HAS_NUMPY = importlib.util.find_spec("numpy") is not None

needs_numpy = unittest.skipUnless(HAS_NUMPY, "no numpy")


logging.getLogger("stream_client").addHandler(logging.NullHandler())  # nothing on stderr


def ffmpeg(*args, given=None):
    """Runs ffmpeg and gives its standard output.

    Args:
        given: bytes for its standard input

    Raises:
        AssertionError: if it fails, with what it said
    """
    command = ["ffmpeg", "-v", "error", *([] if given is not None else ["-nostdin"]), *args]
    ending = subprocess.run(
        command, capture_output=True,
        **({"stdin": subprocess.DEVNULL} if given is None else {"input": given}),
    )
    if ending.returncode != 0:
        raise AssertionError(f"{command} failed: {ending.stderr.decode(errors='replace')}")
    return ending.stdout


def pictures(size="64x48", rate=25, seconds=1):
    """Arguments of ffmpeg for a moving picture with edges and colours; odd sizes are kept."""
    return ["-f", "lavfi", "-i", f"testsrc=size={size}:rate={rate}:d={seconds}"]


def tone(seconds=1, rate=48000):
    """Arguments of ffmpeg for two tones, one on each channel."""
    expression = "aevalsrc=0.8*sin(440*2*PI*t)|0.7*sin(550*2*PI*t):s={}:d={}"
    return ["-f", "lavfi", "-i", expression.format(rate, seconds)]


def decoded(path, *output, seek=()):
    """The frames of a file as ffmpeg gives them, raw, one after another.

    Args:
        output: such as ``-pix_fmt gray``
        seek: arguments before the input
    """
    return ffmpeg(
        *seek, "-i", f"file:{path}", "-map", "0:V:0", "-fps_mode", "passthrough", *output,
        "-f", "rawvideo", "pipe:1",
    )


def decoded_as(path, pixel_formats):
    """:func:`decoded` in several pixel formats at once, by their names."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = [
            ["-map", "0:V:0", "-fps_mode", "passthrough", "-pix_fmt", name, "-f", "rawvideo",
             f"file:{folder}/{name}"]
            for name in pixel_formats
        ]
        ffmpeg("-i", f"file:{path}", *[word for output in outputs for word in output])
        return {name: Path(folder, name).read_bytes() for name in pixel_formats}


def samples_of(path, form="s16le"):
    """The samples of a file as ffmpeg decodes them."""
    return ffmpeg("-i", f"file:{path}", "-map", "0:a:0", "-f", form, "pipe:1")


def pieces(data, count):
    """Divides bytes into pieces of one size.

    Raises:
        AssertionError: if they do not divide
    """
    size, rest = divmod(len(data), count)
    if rest != 0 or size == 0:
        raise AssertionError(f"{len(data)} bytes are not {count} frames of one size")
    return [data[at * size:(at + 1) * size] for at in range(count)]


class Server:
    """A server as a child process, on a free port."""

    def __init__(self, *args):
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [*SERVER, "--port", "0", *map(str, args)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=self._log,
        )
        try:
            self.port = self._wait_listening()
        except BaseException:
            self.close()
            raise

    def close(self, kind=signal.SIGINT):
        """Ends it and waits; twice is harmless."""
        if self._process.poll() is None:
            self._process.send_signal(kind)
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def _wait_listening(self):
        for line in self._process.stdout:
            found = re.match(rb"Listening on \S+:(\d+)", line)
            if found:
                return int(found[1])
        self._process.wait()
        self._log.seek(0)
        said = self._log.read().decode(errors="replace")
        raise AssertionError(
            f"Cannot start {shlex.join(SERVER)}: {said}; STREAM_SERVER is the command to use"
        )


class Site:
    """A folder of media and a server of it, for the tests of one module."""

    def __init__(self, *args):
        self._folder = tempfile.TemporaryDirectory(prefix="stream_python_")
        self.path = Path(os.path.realpath(self._folder.name))
        self._args = args
        self._server = None

    def options(self, *args):
        """Adds arguments of the server, before it is started."""
        self._args += args

    def make(self, name, *args):
        """Makes a file with ffmpeg, unless it is there, and gives its path."""
        path = self.path / name
        if not path.exists():
            ffmpeg("-y", *args, f"file:{path}")
        return path

    def start(self):
        """Starts the server, or another one of the same folder."""
        return Server("--media", self.path, *self._args)

    @property
    def port(self):
        """Port of the server, which is started if it does not run."""
        if self._server is None:
            self._server = self.start()
        return self._server.port

    def close(self):
        """Ends the server and removes the folder."""
        if self._server is not None:
            self._server.close()
        self._folder.cleanup()


def open_site(*args):
    """A site until the end of the module, to be called by ``setUpModule``."""
    site = Site(*args)
    unittest.addModuleCleanup(site.close)
    return site


class StreamTestCase(unittest.TestCase):
    """Fails if a test leaves a thread of the package or an open socket."""

    site = None
    """What :meth:`open` asks."""

    def setUp(self):
        self.addCleanup(self._check_nothing_left)
        recorded = warnings.catch_warnings(record=True)
        self._warnings = recorded.__enter__()
        self.addCleanup(recorded.__exit__, None, None, None)
        warnings.simplefilter("always")
        self.addCleanup(gc.collect)
        # Nothing may end only because the other side is silent.
        self.patch("stream_client._protocol.transport.IDLE_TIMEOUT", 2 * PATIENCE)

    def open(self, name=None, *, port=None, **options):
        """A stream that is closed at the end of the test."""
        stream = Stream(HOST, name, port=self.site.port if port is None else port, **options)
        self.addCleanup(stream.close)
        return stream

    def patch(self, name, value):
        """Replaces a value until the end of the test."""
        patch = mock.patch(name, value)
        patch.start()
        self.addCleanup(patch.stop)

    def close_promptly(self, stream):
        """Closes a stream, which must not wait for the server."""
        thread = threading.Thread(target=stream.close)
        thread.start()
        self.join(thread)

    def refused(self, code, function, *args, **options):
        """Checks that a call raises a ``StreamError`` with a code and a message of one line.

        Returns:
            the error
        """
        with self.assertRaises(stream_client.StreamError) as caught:
            function(*args, **options)
        error = caught.exception
        message = str(error)
        self.assertEqual(error.code, code, message)
        self.assertTrue(message.isprintable() and message, repr(message))
        if code == "connection_lost":
            self.assertIsInstance(error, stream_client.ConnectionLost)
        return error

    def nobody(self):
        """A port on which nobody listens, and that nobody else is given."""
        bound = socket.socket()
        self.addCleanup(bound.close)
        bound.bind((HOST, 0))
        return bound.getsockname()[1]

    def wait_for(self, event, what):
        """Waits for a ``threading.Event``."""
        self.assertTrue(event.wait(PATIENCE), f"there was no {what}")

    def join(self, thread):
        """Waits for the end of a thread."""
        thread.join(PATIENCE)
        self.assertFalse(thread.is_alive(), f"{thread} does not end")

    def _check_nothing_left(self):
        left = [thread for thread in threading.enumerate() if "stream_client" in thread.name]
        self.assertEqual(left, [], "threads that are left")
        said = [str(warning.message) for warning in self._warnings]
        self.assertEqual(said, [], "warnings")


def retry_at_once(test):
    """Has the package connect again without a pause."""
    for name in ("FIRST_DELAY", "MAX_DELAY"):
        test.patch(f"stream_client._protocol.retry.{name}", 0.001)


def happens_before(owner, name, action):
    """Patches a method: just before its first call something else happens, in the same thread."""
    method, left = getattr(owner, name), [action]

    def changed(*args):
        if left:
            left.pop()()
        return method(*args)

    return mock.patch.object(owner, name, changed)


@contextmanager
def package_without(*modules):
    """The package as it is where other modules are not installed: imported anew."""
    hidden = {name: None for name in sys.modules if name.split(".")[0] in modules}
    hidden.update({name: None for name in modules})
    with mock.patch.dict(sys.modules, hidden):
        for name in [name for name in sys.modules if name.split(".")[0] == "stream_client"]:
            del sys.modules[name]
        yield importlib.import_module("stream_client")


def example_publisher():
    """The module docs/examples/publish.py, a publisher that knows nothing of the package."""
    spec = importlib.util.spec_from_file_location(
        "publish_example", ROOT / "docs" / "examples" / "publish.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
