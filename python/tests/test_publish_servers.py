"""Publishers and servers that follow a script: slow ones, and ones that break the protocol."""

import json
import threading
import unittest

from .peers import (
    ACCEPT, CONTROL, DESCRIBE, END, ERROR, FRAME, GREY, LIST, NOTICE, Listener, ScriptedServer,
    describe, end, frame, message,
)
from .publishing import (
    PublishTestCase, take, take_all, totals_of, wait_connected, wait_until,
)
from .support import HAS_NUMPY, retry_at_once

if not HAS_NUMPY:
    raise unittest.SkipTest("no numpy")

import numpy as np  # noqa: E402 - it may be missing

IMAGE = np.arange(8, dtype=np.uint8).reshape(2, 4)

LARGE = np.zeros((2000, 3000), np.uint8)
"""More than a connection holds by itself."""


class Garbage(Listener):
    """Answers with bytes."""

    def __init__(self, test, answer):
        self._answer = answer
        super().__init__(test)

    def serve(self, connected, index):
        connected.recv(65536)
        connected.sendall(self._answer)
        while connected.recv(65536):
            pass


class Requests(PublishTestCase):
    def test_what_is_asked_and_described(self):
        requests, taken, done = [], [], threading.Event()

        def script(peer, _):
            requests.append(peer.request)
            taken.extend(take_all(peer))
            done.set()

        with self.publisher("grey", port=self.scripted(script), token="secret", fps=25,
                            replace=True) as out:
            out.write(IMAGE, {"a": 1}, time=0.04)
            out.write(IMAGE, b"\0", time=0.08)
            out.write(IMAGE[:1], time=0.12)
        self.wait_for(done, "end")
        self.assertEqual(requests, [{
            "version": 1, "command": "publish", "name": "grey", "token": "secret",
            "replace": True,
        }])
        video = {
            "id": 0, "type": "video", "codec": "rawvideo", "timeBase": [1, 1_000_000],
            "width": 4, "height": 2, "pixelFormat": "gray", "frameRate": [25, 1],
        }
        self.assertEqual(
            [each.kind for each in taken],
            [DESCRIBE, FRAME, FRAME, DESCRIBE, FRAME, FRAME, DESCRIBE, FRAME, END],
        )
        self.assertEqual(self.streams(taken[0])[0], video)
        self.assertEqual([each["id"] for each in self.streams(taken[3])], [0, 1, 2])
        self.assertEqual(self.streams(taken[6])[0], {**video, "height": 1})
        self.assertEqual(
            [(each.stream, each.timestamp, each.payload) for each in taken
             if each.kind == FRAME],
            [(1, 40_000, b'{"a":1}'), (0, 40_000, bytes(range(8))), (2, 80_000, b"\0"),
             (0, 80_000, bytes(range(8))), (0, 120_000, bytes(range(4)))],
        )

    def streams(self, taken):
        """The streams of a describe; fields without a value are left out."""
        return [
            {key: value for key, value in each.items() if value is not None}
            for each in json.loads(taken.payload)["streams"]
        ]


class Slow(PublishTestCase):
    def stalled(self):
        """Port of a server that takes nothing until an event."""
        def script(peer, _):
            self.wait_for(self.go_on, "event")
            self.taken.extend(take_all(peer))
            self.done.set()

        self.go_on, self.done, self.taken = threading.Event(), threading.Event(), []
        port = self.scripted(script)
        self.addCleanup(self.go_on.set)
        return port

    def values(self):
        """The first bytes of the frames that the server got."""
        self.wait_for(self.done, "end")
        return [each.payload[0] for each in self.taken if each.kind == FRAME]

    def test_writing_never_waits_and_the_newest_two_are_kept(self):
        count = 100
        with self.publisher(port=self.stalled(), late="drop") as out:
            for number in range(count):
                self.assertTrue(out.write(LARGE + np.uint8(number)))
            self.go_on.set()
        values = self.values()
        self.assertEqual(values[-2:], [count - 2, count - 1])
        self.assertEqual(values, sorted(set(values)))
        self.assertLess(len(values), 10)
        self.assertEqual((out.totals.frames, out.totals.dropped),
                         (len(values), count - len(values)))

    def test_writing_waits_no_longer_than_asked(self):
        kept, number, lost = [], 0, 0
        with self.publisher(port=self.stalled(), late="wait", timeout=0.05) as out:
            wait_connected(out)
            # The connection may take more after the first frame that is lost.
            while lost < 2:
                if out.write(LARGE + np.uint8(number)):
                    kept.append(number)
                else:
                    lost += 1
                number += 1
            self.assertEqual(out.totals.dropped, 2)
            self.go_on.set()
        self.assertEqual(self.values(), kept)
        self.assertEqual(out.totals.frames, len(kept))

    def test_a_message_needs_no_room_of_a_frame(self):
        with self.publisher(port=self.stalled(), late="wait", timeout=0.05) as out:
            while out.write(LARGE):
                pass
            before = out.totals.dropped
            self.assertTrue(out.write(data="a message alone takes no place of a frame"))
            self.assertEqual(out.totals.dropped, before)
            self.go_on.set()

    def test_closing_gives_up_in_time(self):
        out = self.publisher(port=self.stalled(), late="drop")
        wait_connected(out)
        for _ in range(5):
            out.write(LARGE)
        self.refused("connection_lost", out.close, 0.05)
        self.check_no_thread()

    def test_a_write_that_waits_ends_with_the_publisher(self):
        refuse = threading.Event()

        def script(peer, _):
            self.wait_for(refuse, "event")
            peer.send(message(ERROR, {"code": "bad_request", "message": "enough"}))
            peer.wait_closed()

        out = self.publisher(port=self.scripted(script), late="wait")
        errors, written = [], threading.Semaphore(0)

        def run():
            try:
                while True:
                    out.write(LARGE)
                    written.release()
            except Exception as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        for _ in range(2):
            written.acquire()
        refuse.set()
        self.join(thread)
        self.assertEqual(errors[0].code, "bad_request")


class Refusals(PublishTestCase):
    def test_errors_are_told_with_their_code(self):
        for code in ("bad_request", "unauthorized", "not_found", "unsupported", "media_error",
                     "version", "internal", "brand_new"):
            for is_accepted in (False, True):
                def script(peer, _, code=code, is_accepted=is_accepted):
                    if is_accepted:
                        peer.send(message(ACCEPT, {}))
                    peer.send(message(ERROR, {"code": code, "message": f"told\n{code}"}))
                    peer.wait_closed()

                server = ScriptedServer(self, script)
                out = self.publisher(port=server.port)
                self.refused(code, out.wait_watched)
                self.refused(code, out.write, IMAGE)
                self.refused(code, out.close)
                self.assertEqual(server.connections, 1)

    def test_what_a_busy_server_is_asked(self):
        retry_at_once(self)

        def script(peer, index):
            if index < 3:
                peer.send(message(ERROR, {"code": "busy", "message": "full"}))
                return
            peer.send(message(NOTICE, {"code": "early"}), message(ACCEPT, {}))
            take_all(peer)

        with self.publisher(port=ScriptedServer(self, script).port) as out:
            wait_until(out, lambda: out.connected, "connection")
            out.write(IMAGE)
        self.assertEqual((out.totals.frames, out.totals.reconnects), (1, 0))

    def test_answers_that_break_the_protocol(self):
        answers = [
            b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(16), b"\xff" * 16, message(99),
            describe(GREY), frame(0), end(), message(LIST, {"entries": []}),
            message(ACCEPT, b"no JSON"), message(ACCEPT, []), message(ACCEPT, b"\xff"),
            message(ACCEPT, {}, length=70_000), message(ACCEPT, b"[" * 60_000),
        ]
        for answer in answers:
            with self.subTest(answer[:40]):
                out = self.publisher(port=Garbage(self, answer).port)
                self.refused("protocol", out.wait_watched)
                self.refused("protocol", out.close)

    def test_messages_that_break_the_protocol(self):
        for sent in (
            message(99), message(ACCEPT, {}), describe(GREY), frame(0), message(CONTROL, b"{"),
            message(NOTICE, b"[]"), message(END, b"1"), b"\xff" * 16,
        ):
            with self.subTest(sent[:40]):
                def script(peer, _, sent=sent):
                    peer.send(sent)
                    peer.wait_closed()

                out = self.publisher(port=self.scripted(script))
                self.refused("protocol", out.wait_watched)

    def test_what_is_unknown_is_ignored(self):
        def script(peer, _):
            peer.send(
                message(CONTROL, {"action": "keyframe"}), message(CONTROL, {"action": 7}),
                message(NOTICE, {"code": "brand_new", "viewers": "many"}),
                message(CONTROL, {}), message(NOTICE, {"code": "viewers", "viewers": 3}),
            )
            take_all(peer)

        with self.publisher(port=self.scripted(script)) as out:
            self.assertTrue(out.wait_watched())
            self.assertEqual(out.viewers, 3)
            out.write(IMAGE)


class Ends(PublishTestCase):
    def close_with(self, answer):
        """Publishes a frame and a message to a server that answers the end."""
        def script(peer, _):
            taken = take_all(peer, confirm=False)
            self.assertEqual(totals_of(taken), [(0, 1, 8), (1, 1, 4)])
            peer.send(answer)
            peer.wait_closed()

        out = self.publisher(port=self.scripted(script))
        out.write(IMAGE, "it")
        return out

    def test_totals_that_are_right(self):
        for answer in (
            end((0, 1, 8), (1, 1, 4)), end((1, 1, 4), (0, 1, 8), (5, 0, 0)),
        ):
            out = self.close_with(answer)
            out.close()
            self.assertEqual((out.totals.frames, out.totals.bytes), (1, 12))

    def test_totals_that_differ(self):
        for answer in (
            end((0, 1, 8)), end((0, 0, 0), (1, 1, 4)), end((0, 1, 7), (1, 1, 4)),
            end((0, 2, 16), (1, 1, 4)), end(), message(END, {}),
        ):
            out = self.close_with(answer)
            error = self.refused("protocol", out.close)
            self.assertIn("received", str(error))

    def test_totals_that_are_none(self):
        for streams in (5, "many", {"id": 0}, [1, 2], [{"id": []}], [{"id": "0"}], None, True):
            with self.subTest(streams):
                out = self.close_with(message(END, {"streams": streams}))
                self.refused("protocol", out.close)

    def test_an_end_that_is_not_confirmed(self):
        retry_at_once(self)
        out = self.close_with(b"")
        self.refused("connection_lost", out.close, 0.3)

        def script(peer, _):
            take_all(peer, confirm=False)

        out = self.publisher("cut", port=self.scripted(script))
        out.write(IMAGE)
        self.refused("connection_lost", out.close)

    def test_a_server_that_goes_silent_in_the_middle(self):
        def script(peer, _):
            while take(peer).kind != FRAME:
                pass
            peer.wait_closed()

        out = self.publisher(port=self.scripted(script))
        out.write(IMAGE)
        self.refused("connection_lost", out.close, 0.1)
        self.check_no_thread()


if __name__ == "__main__":
    unittest.main()
