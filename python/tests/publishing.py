"""What the tests of publishers share: a publisher, viewers in threads, and the server's part."""

import threading
from typing import NamedTuple

from stream_client import Publisher, Stream, StreamError

from .peers import ACCEPT, END, FRAME, HEADER, PING, PONG, ScriptedServer, end, message
from .support import HOST, PATIENCE, StreamTestCase

CAPTURE_SIZE = 8
"""Bytes of the capture time, with which a live frame begins."""

LEAD = 5
"""Frames which a publisher may be ahead of its viewer."""


def wait_until(out, predicate, what):
    """Waits until something holds that a publisher's server tells."""
    changed = out._sender._changed
    with changed:
        if not changed.wait_for(predicate, PATIENCE):
            raise AssertionError(f"there was no {what}")


def write_until(out, image, predicate):
    """Publishes an image again and again until something holds that the server tells.

    A server notices that a viewer is gone when it sends something.
    """
    changed = out._sender._changed
    for _ in range(100 * PATIENCE):
        with changed:
            if changed.wait_for(predicate, 0.01):
                return
        out.write(image)
    raise AssertionError("the server did not tell it")


def wait_connected(out):
    """Waits until the server takes frames, or the publisher has failed."""
    wait_until(out, lambda: out.connected or out._sender.error, "connection")


class Viewer:
    """Takes all frames of a source in a thread, to its end."""

    def __init__(self, name, options):
        self.frames = []
        self.rest = []
        self.notices = []
        self._error = None
        self._stream = None
        self._is_over = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(name, options))
        self._thread.start()

    def all(self):
        """Waits for the end, and gives all frames.

        Raises:
            what the stream raised
        """
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            raise AssertionError("the viewer does not end")
        if self._error is not None:
            raise self._error
        return self.frames

    def wait(self, predicate, what, timeout=PATIENCE):
        """Waits until something holds of the frames; with another timeout, tells whether it does.
        """
        with self._changed:
            held = self._changed.wait_for(
                lambda: self._is_over or predicate(self.frames), timeout
            ) and predicate(self.frames)
        if not held and timeout == PATIENCE:
            raise AssertionError(f"there was no {what}") from self._error
        return held

    def check(self):
        """Raises what has ended it."""
        if self._is_over:
            raise AssertionError("the viewer has ended") from self._error

    def leave(self):
        """Ends it; harmless when it is over."""
        if self._stream is not None:
            self._stream.close()
        self._thread.join(PATIENCE)

    def _run(self, name, options):
        try:
            with Stream(HOST, name, **options) as self._stream:
                for frame in self._stream:
                    self._notify(frame)
                self.rest = self._stream.rest
        except ValueError:
            pass  # it was left
        except Exception as error:
            self._error = error
        finally:
            if self._stream is not None:
                self.notices = [notice.code for notice in self._stream.notices]
            self._is_over = True
            self._notify()

    def _notify(self, *frames):
        with self._changed:
            self.frames += frames
            self._changed.notify_all()


class PublishTestCase(StreamTestCase):
    """Ends publishers and viewers after each test, and fails if a thread is left."""

    def setUp(self):
        super().setUp()
        self._publishers, self._viewers = [], []
        self.addCleanup(self._check_threads, set(threading.enumerate()))
        self.addCleanup(self._end_all)

    def publisher(self, name=None, **options):
        """A publisher that waits rather than drops."""
        options = {"late": "wait", **options}
        if "port" not in options:
            options["port"] = self.site.port
        made = Publisher(HOST, self.id() if name is None else name, **options)
        self._publishers.append(made)
        return made

    def watch(self, name=None, **options):
        """A viewer of what :meth:`publisher` sends."""
        if "port" not in options:
            options["port"] = self.site.port
        viewer = Viewer(self.id() if name is None else name, options)
        self._viewers.append(viewer)
        return viewer

    def received(self, write, publish=None, **options):
        """Frames that a viewer gets of all that a function writes.

        Args:
            write: called with the publisher, once it is watched
            publish: options of the publisher
        """
        with self.publisher(**(publish or {})) as out:
            wait_connected(out)
            viewer = self.watch(**options)
            self.assertTrue(out.wait_watched(PATIENCE))
            write(out)
        return viewer.all()

    def feed(self, out, image, predicate, data=None):
        """Publishes an image again and again until something holds of the frames of the viewer."""
        viewer = self._viewers[-1]
        while not viewer.wait(predicate, "", 0.02):
            viewer.check()
            out.write(image, data)

    def keep_up(self, out):
        """Waits while the viewer lacks many frames: a server drops some of one that lags."""
        needed = out.totals.frames - LEAD  # other threads may publish meanwhile
        self._viewers[-1].wait(lambda frames: len(frames) >= needed, "frame")

    def scripted(self, script):
        """Port of a server that takes a publisher, and then follows a script."""
        def accept(peer, index):
            peer.send(message(ACCEPT, {"name": peer.request["name"], "watched": True}))
            script(peer, index)

        return ScriptedServer(self, accept).port

    def check_no_thread(self):
        """Checks that the threads of publishers end."""
        for thread in threading.enumerate():
            if _is_sender(thread):
                self.join(thread)

    def _end_all(self):
        for made in self._publishers:
            try:
                made.close(1)
            except StreamError:
                pass
        for viewer in self._viewers:
            viewer.leave()

    def _check_threads(self, before):
        for thread in set(threading.enumerate()) - before:
            self.join(thread)


def _is_sender(thread):
    return "stream_client" in thread.name or "_listen" in thread.name


class Taken(NamedTuple):
    """A message of a publisher."""

    kind: int
    stream: int
    timestamp: int
    payload: bytes
    """Of a frame, without its capture time."""


def take(peer):
    """The next message of a publisher. Answers pings before it."""
    while True:
        length, kind, _, stream, timestamp = HEADER.unpack(peer._read(HEADER.size))
        payload = peer._read(length - 12)
        if kind == PING:
            peer.send(message(PONG, payload))
        elif kind != PONG:
            size = CAPTURE_SIZE if kind == FRAME else 0
            return Taken(kind, stream, timestamp, payload[size:])


def take_all(peer, confirm=True):
    """All messages of a publisher up to its end, which is confirmed."""
    taken = [take(peer)]
    while taken[-1].kind != END:
        taken.append(take(peer))
    if confirm:
        peer.send(end(*totals_of(taken)))
    return taken


def totals_of(taken):
    """What an end says: id, frames and bytes of each stream."""
    frames = [each for each in taken if each.kind == FRAME]
    return [
        (stream, sum(each.stream == stream for each in frames),
         sum(len(each.payload) for each in frames if each.stream == stream))
        for stream in sorted({each.stream for each in frames})
    ]
