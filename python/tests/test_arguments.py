"""Arguments that make no sense are refused where they are given, without a server."""

import math
import threading
import time
import unittest

import numpy as np

from stream_client import Publisher, Stream, get_image, list_media

from .peers import FRAME, ScriptedServer, describe, end, frame, message
from .publishing import PublishTestCase, take_all
from .support import HOST

GREY = {
    "id": 0, "type": "video", "codec": "rawvideo", "timeBase": [1, 25], "width": 4, "height": 2,
    "pixelFormat": "gray",
}


class Servers(PublishTestCase):
    def test_hosts_and_ports(self):
        for call in (Stream, get_image, list_media):
            for host, port, said in (
                ("box:7777", 7777, "give the port as port="), ("", 7777, "expected a name"),
                (5, 7777, "expected a name"), (HOST, "7777", "from 1 to 65535"),
                (HOST, 7777.0, "from 1 to 65535"), (HOST, 0, "from 1 to 65535"),
                ("a" * 300, 7777, "no name of a host"),
            ):
                with self.subTest((host, port)), self.assertRaisesRegex(ValueError, said):
                    call(host, port=port)

    def test_sizes(self):
        for size in ((64,), 64, "64x48", (64.7, 48.2), ("64", "48")):
            with self.subTest(size), self.assertRaisesRegex(ValueError, "width and height"):
                Stream(HOST, size=size)

    def test_numbers(self):
        for options in ({"start": math.nan}, {"duration": math.inf}, {"fps": math.nan}):
            with self.subTest(options), self.assertRaisesRegex(ValueError, "^Cannot write"):
                Stream(HOST, **options)
        for retries in (-1, "3", math.nan):
            with self.subTest(retries), self.assertRaisesRegex(ValueError, "from 0 up"):
                Stream(HOST, retries=retries)


class Publishing(PublishTestCase):
    def test_nothing(self):
        out = self.publisher(port=self.scripted(lambda peer, _: take_all(peer)))
        self.assertRaisesRegex(ValueError, "an image, or data", out.write, None)

    def test_what_the_wire_does_not_carry(self):
        out = self.publisher(port=self.scripted(lambda peer, _: take_all(peer)))
        for image in (
            np.zeros((1, 70_000), np.uint8), np.zeros((70_000, 1), np.uint8),
            np.broadcast_to(np.uint8(0), (20_000, 20_000, 3)),
        ):
            with self.subTest(image.shape), self.assertRaisesRegex(ValueError, "at most"):
                out.write(image)

    def test_times_of_the_wall_clock(self):
        kept, done = [], threading.Event()
        now = time.time()

        def script(peer, _):
            kept.extend(take_all(peer))
            done.set()

        with self.publisher(port=self.scripted(script)) as out:
            for at in range(3):
                out.write(np.zeros((4, 4), np.uint8), time=now + at / 30)
        self.wait_for(done, "end")
        pts = [each.timestamp for each in kept if each.kind == FRAME]
        self.assertEqual(pts, [round((now + at / 30) * 1e6) for at in range(3)])

    def test_a_reply_to_a_seek_that_was_not_sent(self):
        for number in ({"a": []}, 1, -1, None, "1"):
            reply = message(6, {"action": "seek", "to": 1, "id": number})

            def script(peer, _, reply=reply):
                peer.send(describe(GREY), reply, frame(0), end((0, 1, 8)))

            port = ScriptedServer(self, script).port
            with self.subTest(number), Stream(HOST, port=port) as stream:
                self.assertEqual(len(list(stream)), 1)


if __name__ == "__main__":
    unittest.main()
