"""Publishers and their server: names, viewers, cuts, and what the server refuses."""

import logging
import signal
import threading
import unittest
from pathlib import Path

from stream_client import ConnectionLost, StreamError, list_media

from .peers import Listener, Relay
from .publishing import PublishTestCase, wait_connected, wait_until, write_until
from .support import (
    HAS_NUMPY, HOST, PATIENCE, Server, Site, open_site, pictures, retry_at_once,
)

if not HAS_NUMPY:
    raise unittest.SkipTest("no numpy")

import numpy as np  # noqa: E402 - it may be missing

IMAGE = np.zeros((4, 6), np.uint8)

TOKEN = "only for publishers"


def setUpModule():
    site = PublishTestCase.site = open_site()
    site.make("clip.mkv", *pictures(), "-c:v", "ffv1")


class LogWatch(logging.Handler):
    """Waits for what the package logs."""

    def __init__(self, test):
        super().__init__()
        self._lines = []
        self._changed = threading.Condition()
        logger = logging.getLogger("stream_client")
        logger.addHandler(self)
        test.addCleanup(logger.removeHandler, self)

    def emit(self, record):
        with self._changed:
            self._lines.append(record.getMessage())
            self._changed.notify_all()

    def wait(self, text):
        """Waits for a line."""
        with self._changed:
            if not self._changed.wait_for(
                lambda: any(text in line for line in self._lines), PATIENCE
            ):
                raise AssertionError(f'there is no "{text}" in {self._lines}')


class Silent(Listener):
    """Accepts connections and says nothing, until its test ends."""

    def __init__(self, test):
        self.asked = threading.Event()
        super().__init__(test)

    def serve(self, connected, index):
        while connected.recv(65536):
            self.asked.set()


class Names(PublishTestCase):
    def test_the_list_has_it_while_it_lasts(self):
        def names():
            return [each.name for each in list_media(HOST, port=self.site.port)]

        for name in ("a/b c", "ä ✓", "x" * 255):
            with self.publisher(name) as out:
                wait_connected(out)
                self.assertIn(name, names())
            self.assertNotIn(name, names())

    def test_names_that_are_refused(self):
        for name in ("clip.mkv", "x" * 256, "new\nline"):
            out = self.publisher(name)
            wait_connected(out)
            self.refused("bad_request", out.write, IMAGE)
            self.refused("bad_request", out.wait_watched)
            self.refused("bad_request", out.write_jpeg, b"")
            self.refused("bad_request", out.close)
            out.close()
        self.assertRaises(ValueError, self.publisher, "")

    def test_a_name_that_is_taken_is_awaited(self):
        retry_at_once(self)
        log = LogWatch(self)
        first = self.publisher("taken")
        wait_connected(first)
        second = self.publisher("taken", late="drop")
        log.wait('another publisher has that name')
        for number in range(5):
            second.write(IMAGE + number)
        self.assertFalse(second.connected)
        first.close()
        wait_connected(second)
        self.assertTrue(second.connected)
        second.close()
        totals = second.totals
        self.assertEqual((totals.frames, totals.dropped, totals.reconnects), (2, 3, 0))

    def test_a_name_that_stays_taken_is_told_when_it_ends(self):
        log = LogWatch(self)
        wait_connected(self.publisher("kept"))
        second = self.publisher("kept")
        log.wait('another publisher has that name')
        second.write(IMAGE)
        self.refused("busy", second.close)

    def test_a_publisher_may_replace_another(self):
        image = np.zeros((300, 300, 3), np.uint8)
        previous = self.publisher("mine")
        for _ in range(5):
            wait_connected(previous)
            previous.write(image)
            after = self.publisher("mine", replace=True)
            with self.assertRaises(StreamError) as caught:
                while True:
                    previous.write(image)
            self.assertEqual(caught.exception.code, "bad_request")
            previous = after

    def test_arguments_that_make_no_sense(self):
        for options in (
            {"late": "never"}, {"timeout": 0}, {"timeout": float("nan")}, {"retries": -1},
            {"port": 0}, {"fingerprint": "abc"},
        ):
            self.assertRaises(ValueError, self.publisher, **options)
        self.check_no_thread()


class Tokens(PublishTestCase):
    def test_a_wrong_token_is_told(self):
        token = Path(self.site.path.parent, "token_of_publishers")
        token.write_text(TOKEN)
        self.addCleanup(token.unlink)
        server = Server(
            "--media", self.site.path, "--publish", "token", "--publish-token-file", token
        )
        self.addCleanup(server.close)
        for given in ("wrong", None):
            out = self.publisher(port=server.port, token=given)
            self.refused("unauthorized", out.close)
        out = self.publisher(port=server.port, token="wrong again", late="drop")
        with self.assertRaises(StreamError) as caught:
            while True:
                out.write(IMAGE)
        self.assertEqual(caught.exception.code, "unauthorized")
        self.assertNotIn("again", str(caught.exception))
        with self.publisher(port=server.port, token=TOKEN) as out:
            out.write(IMAGE)
        self.assertEqual(out.totals.frames, 1)


class Viewers(PublishTestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Site("--live-linger", 0.1)
        cls.addClassCleanup(cls.site.close)
        cls.site.make("clip.mkv", *pictures(), "-c:v", "ffv1")

    def test_viewers_are_counted(self):
        out = self.publisher()
        wait_connected(out)
        self.assertEqual((out.viewers, out.watched), (0, False))
        self.assertFalse(out.wait_watched(0.01))
        viewers = []
        for count in (1, 2, 3):
            viewers.append(self.watch())
            wait_until(out, lambda: out.viewers == count, f"viewer {count}")
        self.assertTrue(out.watched and out.wait_watched())
        self.feed(out, IMAGE, lambda frames: frames)
        for count in (2, 1, 0):
            viewers.pop().leave()
            write_until(out, IMAGE, lambda: out.viewers == count)
        self.assertFalse(out.watched)

    def test_on_demand_nothing_is_sent_while_nobody_watches(self):
        with self.publisher(on_demand=True) as out:
            self.assertFalse(out.write(IMAGE, "lost"))
            wait_connected(out)
            for _ in range(2):
                self.assertFalse(out.write(IMAGE, "lost") or out.write(data="lost"))
                self.assertFalse(out.write_jpeg(b"not even looked at"))
                viewer = self.watch()
                self.assertTrue(out.wait_watched(PATIENCE))
                self.assertTrue(out.write(IMAGE, "seen"))
                viewer.wait(lambda frames: frames, "frame")
                self.assertEqual([one.value for one in viewer.frames[0].data], ["seen"])
                viewer.leave()
                write_until(out, IMAGE, lambda: not out.watched)
        totals = out.totals
        self.assertEqual((totals.messages, totals.dropped), (2, 0))

    def test_waiting_for_a_viewer_ends_with_the_publisher(self):
        out = self.publisher("clip.mkv")
        self.refused("bad_request", out.wait_watched)


class Cuts(PublishTestCase):
    def setUp(self):
        super().setUp()
        retry_at_once(self)

    def test_a_publisher_may_begin_before_its_server(self):
        log = LogWatch(self)
        nowhere = self.nobody()
        relay = Relay(self, nowhere)
        with self.publisher(port=relay.port, late="drop") as out:
            log.wait("trying again")
            for number in range(5):
                self.assertTrue(out.write(IMAGE + number, number))
            self.assertFalse(out.connected or out.watched)
            self.assertEqual(out.totals.dropped, 3)
            relay.target = self.site.port
            wait_connected(out)
            viewer = self.watch()
            self.feed(out, IMAGE + 9, lambda frames: frames and frames[-1].image.max() == 9)
        self.assertLess({frame.image.max() for frame in viewer.all()}, {3, 4, 9, 10})
        # More are dropped if the server is slower than what is written to it.
        self.assertGreaterEqual(out.totals.dropped, 3)
        self.assertEqual((out.totals.messages, out.totals.reconnects), (5, 0))

    def test_it_goes_on_after_a_cut(self):
        relay = Relay(self, self.site.port)
        with self.publisher(port=relay.port) as out:
            wait_connected(out)
            viewer = self.watch()
            self.feed(out, IMAGE, lambda frames: len(frames) > 2, "before")
            relay.cut()
            self.feed(out, IMAGE + 1, lambda frames: frames[-1].image.max() == 1, "after")
            self.assertEqual(out.totals.reconnects, 1)
        frames = viewer.all()
        times = [frame.time for frame in frames]
        self.assertEqual(times, sorted(set(times)))
        self.assertIn("source_lost", viewer.notices)
        self.assertIn("source_back", viewer.notices)
        self.assertEqual(frames[-1].data[-1].value, "after")

    def test_frames_that_a_cut_took_are_counted(self):
        image = np.zeros((1000, 1000), np.uint8)
        relay = Relay(self, self.site.port)
        with self.publisher(port=relay.port) as out:
            for cuts in range(3):
                wait_until(
                    out, lambda: out.connected and out.totals.reconnects == cuts, "connection"
                )
                for _ in range(5):
                    out.write(image)
                relay.cut()
            wait_until(out, lambda: out.totals.reconnects == 3, "connection")
        self.assertEqual(out.totals.frames + out.totals.dropped, 15)

    def test_it_goes_on_when_the_server_is_started_again(self):
        first = self.site.start()
        self.addCleanup(first.close)
        relays = [Relay(self, first.port) for _ in range(2)]
        with self.publisher(port=relays[0].port, late="drop") as out:
            wait_connected(out)
            viewer = self.watch(port=relays[1].port, retries=1e6)
            self.feed(out, IMAGE, lambda frames: len(frames) > 2)
            for relay in relays:
                relay.target = self.site.port  # of connections to come
            first.close(signal.SIGKILL)
            self.feed(out, IMAGE + 1, lambda frames: frames[-1].image.max() == 1)
            self.assertEqual(out.totals.reconnects, 1)
        times = [frame.time for frame in viewer.all()]
        self.assertEqual(times, sorted(set(times)))

    def test_a_server_that_shuts_down_is_awaited(self):
        first = self.site.start()
        self.addCleanup(first.close)
        relay = Relay(self, first.port)
        with self.publisher(port=relay.port) as out:
            out.write(IMAGE)
            wait_connected(out)
            relay.target = self.nobody()
            first.close()
            wait_until(out, lambda: not out.connected, "end of the connection")
            relay.target = self.site.port
            wait_connected(out)
            out.write(IMAGE)
        self.assertEqual(out.totals.reconnects, 1)

    def test_retries_may_be_limited(self):
        silent = Silent(self)
        out = self.publisher(port=silent.port, retries=2, late="drop")
        out.write(IMAGE)
        silent.close()
        with self.assertRaises(ConnectionLost) as caught:
            while True:
                out.write(IMAGE)
        self.assertIn("2 times", str(caught.exception))
        self.refused("connection_lost", out.close)


class Closing(PublishTestCase):
    def test_twice_and_used_afterwards(self):
        out = self.publisher()
        out.write(IMAGE)
        out.close()
        out.close()
        self.check_no_thread()
        for use in (out.wait_watched, out.write, lambda: out.write_jpeg(b""),
                    lambda: out.write(IMAGE, "data")):
            self.assertRaisesRegex(ValueError, "closed", use)
        self.assertFalse(out.connected or out.watched)
        self.assertEqual((out.viewers, out.totals.frames), (0, 1))

    def test_at_once(self):
        for _ in range(10):
            with self.publisher():
                pass
        self.check_no_thread()

    def test_all_that_waits_is_sent(self):
        for count in (1, 2):
            with self.publisher(f"last {count}", late="drop") as out:
                for _ in range(count):
                    out.write(IMAGE, "said")
            self.assertEqual((out.totals.frames, out.totals.dropped), (count, 0))
            self.assertEqual(out.totals.messages, count)

    def test_the_error_of_the_block_is_the_one_that_is_raised(self):
        nowhere = self.nobody()
        for port in (nowhere, self.site.port):
            with self.assertRaises(KeyError):
                with self.publisher(port=port) as out:
                    out.write(IMAGE)
                    raise KeyError
        with self.assertRaises(StreamError):
            with self.publisher(port=nowhere) as out:
                out.write(IMAGE)
        self.check_no_thread()

    def test_without_a_server(self):
        log = LogWatch(self)
        nowhere = self.nobody()
        with self.publisher(port=nowhere):
            log.wait("trying again")  # nothing was written: nothing is lost
        out = self.publisher(port=nowhere)
        out.write(IMAGE)
        self.refused("connection_lost", out.close)

    def test_after_a_cut(self):
        log = LogWatch(self)
        nowhere = self.nobody()
        relay = Relay(self, self.site.port)
        out = self.publisher(port=relay.port)
        wait_connected(out)
        self.watch()
        self.feed(out, IMAGE, lambda frames: frames)
        relay.target = nowhere
        relay.cut()
        log.wait("trying again")
        # The server has not told what it got.
        self.refused("connection_lost", out.close)

    def test_a_server_that_says_nothing(self):
        silent = Silent(self)
        out = self.publisher(port=silent.port)
        out.write(IMAGE)
        self.wait_for(silent.asked, "request")
        self.refused("connection_lost", out.close, 0.05)
        self.check_no_thread()


if __name__ == "__main__":
    unittest.main()
