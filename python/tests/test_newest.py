"""The newest frame: what the server learns of it, and loops that hold up the thread."""

import threading
import unittest

from stream_client import Stream
from stream_client._protocol.connection import Connection

from .peers import (
    CONTROL, GREY, PING, PONG, SOUND, ScriptedServer, describe, end, frame, message, now,
)
from .support import HOST, PATIENCE, StreamTestCase, retry_at_once


def live(number):
    """A frame of a live source."""
    return frame(number, captured=now())


class Newest(StreamTestCase):
    def setUp(self):
        super().setUp()
        retry_at_once(self)

    def follow(self, script, **options):
        """A stream of a scripted server."""
        server = ScriptedServer(self, script)
        stream = Stream(HOST, port=server.port, **options)
        self.addCleanup(stream.close)
        return stream

    def controls_after(self, peer, *messages):
        """Sends messages, and gives the controls that the client has sent when it has them."""
        peer.send(*messages, message(PING, b"over"))
        controls = []
        while True:
            heard = peer.hear(CONTROL, PONG)
            if heard.payload == b"over":
                return controls
            control = heard.json
            self.assertGreater(control.pop("roundTrip"), 0)
            controls.append(control)

    def test_the_server_learns_how_many_frames_were_taken_of_each_response(self):
        told = []

        def script(peer, index):
            self.assertIs(peer.request["credit"], True)
            peer.send(describe(GREY, SOUND, live=True))
            for number in range(3):
                sound = frame(number, stream=1, payload=bytes(20), captured=now())
                told.extend(self.controls_after(peer, sound, live(number)))
            if index == 1:
                peer.send(end((0, 3, 24), (1, 3, 60)))

        list(self.follow(script, latest=True, audio=True))
        taken = [{"action": "taken", "frames": count} for count in (1, 2, 3)]
        self.assertEqual(told, 2 * taken)

    def test_frames_of_another_size_count_on(self):
        told = []

        def script(peer, _):
            for number, id in enumerate((0, 1)):
                described = describe({**GREY, "id": id}, live=True)
                only = frame(number, stream=id, captured=now())
                told.extend(self.controls_after(peer, described, only))
            peer.send(end((0, 1, 8), (1, 1, 8)))

        list(self.follow(script, latest=True))
        self.assertEqual([control["frames"] for control in told], [1, 2])

    def test_a_loop_that_takes_every_frame_promises_nothing(self):
        def script(peer, _):
            self.assertNotIn("credit", peer.request)
            self.assertEqual(self.controls_after(peer, describe(GREY, live=True), live(0)), [])
            peer.send(end((0, 1, 8)))

        self.assertEqual(len(list(self.follow(script))), 1)

    def test_the_server_learns_nothing_of_the_frames_of_a_file(self):
        def script(peer, _):
            self.assertEqual(self.controls_after(peer, describe(GREY), frame(0)), [])
            peer.send(end((0, 1, 8)))

        self.assertEqual(len(list(self.follow(script, latest=True))), 1)

    def test_a_loop_that_holds_up_the_thread_gets_the_newest_frame(self):
        self.patch("stream_client._receiver.CATCH_UP", PATIENCE)
        sent, go_on = threading.Event(), threading.Event()

        def script(peer, _):
            self.controls_after(peer, describe(GREY, live=True), live(0))
            peer.send(*[live(number) for number in range(1, 9)])
            sent.set()
            peer.wait_closed()

        class HeldUp(Connection):
            def receive(self):
                received = super().receive()
                if received.timestamp == 1:
                    go_on.wait(PATIENCE)
                return received

            @property
            def has_unread(self):
                go_on.set()
                return super().has_unread

        self.patch("stream_client._receiver.Connection", HeldUp)
        stream = self.follow(script, latest=True)
        self.addCleanup(go_on.set)
        self.wait_for(sent, "frame")
        # The last one may have been read, and not be in the queue yet.
        self.assertGreaterEqual(next(stream).pts, 7)


if __name__ == "__main__":
    unittest.main()
