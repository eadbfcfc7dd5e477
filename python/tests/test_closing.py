"""Streams that are closed, left or interrupted."""

import logging
import signal
import subprocess
import sys
import threading
import unittest
from pathlib import Path

from stream_client import Stream

from .peers import GREY, ScriptedServer, describe, frame
from .support import HOST, PATIENCE, StreamTestCase

PACKAGE = Path(__file__).resolve().parents[1]

WAITER = """
import sys
from stream_client import Stream
for frame in Stream("127.0.0.1", port=int(sys.argv[1])):
    print("taken", flush=True)
"""


class Closing(StreamTestCase):
    def waiting(self, *messages):
        """A server that sends these messages and then nothing."""
        def script(peer, _):
            peer.send(*messages)
            peer.sync()
            self.idle.set()
            peer.wait_closed()

        self.idle = threading.Event()
        return ScriptedServer(self, script).port

    def test_closing_ends_the_loop_of_another_thread(self):
        stream = Stream(HOST, port=self.waiting(describe(GREY), frame(0)))
        got, ended = [], []
        taken = threading.Event()

        def loop():
            try:
                for each in stream:
                    got.append(each.pts)
                    taken.set()
            except BaseException as error:
                ended.append(error)

        thread = threading.Thread(target=loop)
        thread.start()
        self.wait_for(taken, "frame")
        self.close_promptly(stream)
        self.join(thread)
        self.assertEqual(got, [0])
        self.assertTrue(all(isinstance(error, ValueError) for error in ended), ended)

    def test_closing_twice_and_by_several_threads(self):
        stream = Stream(HOST, port=self.waiting(describe(GREY), frame(0)))
        threads = [threading.Thread(target=stream.close) for _ in range(5)]
        for thread in threads:
            thread.start()
        stream.close()
        for thread in threads:
            self.join(thread)
        stream.close()
        for use in (stream.read, stream.pause, stream.resume, lambda: next(stream),
                    lambda: stream.seek(0), lambda: list(stream)):
            self.assertRaisesRegex(ValueError, "closed", use)

    def test_what_was_described_is_told_after_closing(self):
        with Stream(HOST, port=self.waiting(describe(GREY), frame(0))) as stream:
            pass
        self.assertEqual((stream.get_size(), stream.fps, stream.live), ((4, 2), 25.0, False))
        self.assertEqual(len(stream.streams), 1)

    def test_a_loop_may_be_left_early(self):
        with Stream(HOST, port=self.waiting(describe(GREY), frame(0), frame(1))) as stream:
            for each in stream:
                break
        self.assertEqual(bytes(each.bytes), bytes(8))

    def test_a_stream_that_nobody_refers_to_is_closed(self):
        stream = Stream(HOST, port=self.waiting(describe(GREY), frame(0)))
        self.wait_for(self.idle, "frame")
        (thread,) = [each for each in threading.enumerate() if each.name == "stream_client"]
        del stream
        self.join(thread)

    def test_closing_while_nothing_takes_frames(self):
        frames = [frame(number) for number in range(100)]

        def script(peer, _):
            peer.send(describe(GREY), *frames)
            peer.wait_closed()

        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            next(stream)

    def test_closing_does_not_wait_for_the_next_attempt(self):
        lost = threading.Event()

        class Watch(logging.Handler):
            def emit(self, record):
                lost.set()

        watch = Watch()
        logging.getLogger("stream_client").addHandler(watch)
        self.addCleanup(logging.getLogger("stream_client").removeHandler, watch)

        def script(peer, _):
            peer.send(describe(GREY, etag="same"), frame(0))

        for name in ("FIRST_DELAY", "MAX_DELAY"):
            self.patch(f"stream_client._protocol.retry.{name}", 10 * PATIENCE)
        stream = Stream(HOST, port=ScriptedServer(self, script).port)
        self.assertEqual(next(stream).pts, 0)
        self.wait_for(lost, "message about the lost connection")
        self.close_promptly(stream)


@unittest.skipIf(sys.platform == "win32", "no SIGINT to a child")
class Interrupts(StreamTestCase):
    def interrupted(self, script, heard):
        """Starts a child, and interrupts it after an event."""
        port = ScriptedServer(self, script).port
        with subprocess.Popen(
            [sys.executable, "-c", WAITER, str(port)], cwd=PACKAGE, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as child:
            heard(child)
            child.send_signal(signal.SIGINT)
            _, said = child.communicate()
        self.assertIn(b"KeyboardInterrupt", said)
        self.assertEqual(child.returncode, -signal.SIGINT)

    def test_ctrl_c_ends_a_loop_that_waits(self):
        def script(peer, _):
            peer.send(describe(GREY), frame(0))
            peer.wait_closed()

        def heard(child):
            self.assertEqual(child.stdout.readline(), b"taken\n")

        self.interrupted(script, heard)

    def test_ctrl_c_ends_a_stream_that_is_not_described(self):
        asked = threading.Event()

        def script(peer, _):
            asked.set()
            peer.wait_closed()

        self.interrupted(script, lambda child: self.wait_for(asked, "request"))


if __name__ == "__main__":
    unittest.main()
