"""Connections that are cut: every frame once, and equal to ffmpeg's."""

import math
import socket
import struct
import sys
import threading
import unittest

from stream_client import Stream

from .peers import ERROR, GREY, PING, SOUND, Relay, ScriptedServer, describe, end, frame, message
from .support import (
    HOST, StreamTestCase, decoded, open_site, pictures, pieces, retry_at_once, samples_of, tone,
)

FRAMES = 50

GRAY = 64 * 48
"""Bytes of a frame."""


def setUpModule():
    site = StreamTestCase.site = open_site("--live", "cam=lavfi:testsrc2=size=32x24:rate=25")
    site.make(
        "clip.mkv", *pictures(seconds=2), *tone(seconds=2), "-c:v", "ffv1", "-pix_fmt", "yuv420p",
        "-c:a", "flac",
    )


class Files(StreamTestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = cls.site.path / "clip.mkv"
        cls.expected = pieces(decoded(cls.path, "-pix_fmt", "gray"), FRAMES)

    def setUp(self):
        super().setUp()
        retry_at_once(self)

    def check(self, frames, numbers):
        """Compares frames with those of ffmpeg."""
        self.assertEqual([round(each.time * 25) for each in frames], list(numbers))
        self.assertEqual(
            [bytes(each.bytes) for each in frames], [self.expected[at] for at in numbers]
        )
        self.assertFalse(any(each.dropped_before for each in frames))

    def test_frames_continue_wherever_the_connection_is_cut(self):
        # In a header, in the description, between and inside of frames.
        cuts = [0, 5, 100, 900, GRAY + 900, 2 * (GRAY + 16) + 20, 20_000, 40_001]
        relay = Relay(self, self.site.port, cuts)
        with self.open("clip.mkv", pixel_format="gray", port=relay.port,
                       retries=math.inf) as stream:
            self.check(list(stream), range(FRAMES))
            codes = [notice.code for notice in stream.notices]
        self.assertEqual(relay.connections, len(cuts) + 1)
        self.assertEqual(codes.count("lost"), len(cuts))
        # The search for the position may be told after that.
        self.assertEqual([code for code in codes if code != "resuming"][-1], "back")

    def test_samples_continue_wherever_the_connection_is_cut(self):
        relay = Relay(self, self.site.port, [30_000, 99_999])
        with self.open("clip.mkv", pixel_format="gray", audio=True, port=relay.port) as stream:
            frames = list(stream)
            parts = [part for each in frames for part in each.audio] + stream.rest
        self.check(frames, range(FRAMES))
        codec = parts[0].stream.codec
        self.assertEqual(
            b"".join(bytes(part.bytes) for part in parts),
            samples_of(self.path, codec[len("pcm_"):]),
        )
        self.assertEqual(relay.connections, 3)

    def test_packets_continue_wherever_the_connection_is_cut(self):
        with self.open("clip.mkv", encoding="copy") as stream:
            expected = [bytes(each.bytes) for each in stream]
        relay = Relay(self, self.site.port, [1500, 10_000])
        with self.open("clip.mkv", encoding="copy", port=relay.port) as stream:
            self.assertEqual([bytes(each.bytes) for each in stream], expected)
        self.assertEqual(len(expected), FRAMES)
        self.assertEqual(relay.connections, 3)

    def test_texts_continue_wherever_the_connection_is_cut(self):
        times = [("00:00:00,200", "one"), ("00:00:00,200", "two"), ("00:00:01,700", "three")]
        text = self.site.path / "texts.txt"
        text.write_text("".join(
            f"{at}\n{start} --> 00:00:01,900\n{line}\n\n" for at, (start, line) in enumerate(times)
        ))
        self.site.make(
            "texts.mkv", *pictures(seconds=2), "-f", "srt", "-i", str(text), "-c:v", "ffv1",
            "-c:s", "srt",
        )
        # In the description, between and inside of texts, and between frames.
        for cut in [*range(300, 1200, 90), 20 * GRAY, 45 * GRAY]:
            relay = Relay(self, self.site.port, [cut])
            with self.open("texts.mkv", pixel_format="gray", subtitles=True, port=relay.port,
                           retries=math.inf) as stream:
                frames = list(stream)
                parts = [part for each in frames for part in each.data] + stream.rest
            self.assertEqual(
                [part.value["text"] for part in parts], ["one", "two", "three"], f"cut at {cut}",
            )
            self.assertEqual(len(frames), FRAMES)
            self.assertEqual(relay.connections, 2)

    def test_a_part_of_a_file_continues(self):
        relay = Relay(self, self.site.port, [20_000])
        with self.open("clip.mkv", pixel_format="gray", start=0.4, duration=0.8,
                       port=relay.port) as stream:
            frames = list(stream)
        self.assertEqual([bytes(each.bytes) for each in frames], self.expected[10:30])
        self.assertEqual([round(each.time * 25) for each in frames], list(range(20)))

    def test_frames_continue_after_a_seek(self):
        relay = Relay(self, self.site.port, [60_000, 20_000, 33_333])
        with self.open("clip.mkv", pixel_format="gray", start=0.2, audio=True,
                       port=relay.port) as stream:
            next(stream)
            stream.seek(0.6)
            frames = list(stream)
            parts = [part for each in frames for part in each.audio] + stream.rest
        self.assertEqual([bytes(each.bytes) for each in frames], self.expected[15:])
        self.assertEqual([round(each.time * 25) for each in frames], list(range(10, 45)))
        self.assertEqual(relay.connections, 4)
        codec = parts[0].stream.codec
        whole = samples_of(self.path, codec[len("pcm_"):])
        size = len(whole) // 96_000
        self.assertEqual(parts[0].pts, 19_200)
        self.assertEqual(b"".join(bytes(part.bytes) for part in parts), whole[28_800 * size:])

    def test_a_seek_while_the_connection_is_cut_is_done(self):
        relay = Relay(self, self.site.port)
        with self.open("clip.mkv", pixel_format="gray", speed=1, port=relay.port) as stream:
            next(stream)
            relay.cut()
            stream.seek(1.8)
            self.check(list(stream), range(45, 50))

    def test_a_request_to_resume_names_what_arrived(self):
        requests = []

        def script(peer, index):
            requests.append(peer.request)
            peer.send(describe(GREY, SOUND, etag="same"))
            if index == 0:
                peer.send(
                    frame(3), frame(160, stream=1, payload=bytes(20)), frame(4, flags=5),
                    frame(5)[:-1],
                )
                return
            peer.send(frame(5), end((0, 1, 8), (1, 0, 0)))

        with Stream(HOST, "grey", port=ScriptedServer(self, script).port, audio=True) as stream:
            self.assertEqual([each.pts for each in stream], [3, 4, 5])
        self.assertNotIn("resume", requests[0])
        self.assertEqual(requests[1]["resume"], [
            {"id": 0, "after": 4, "breaks": 1},
            {"id": 1, "after": 160, "next": 170, "breaks": 0},
        ])
        del requests[1]["resume"]
        self.assertEqual(requests[0], requests[1])

    def test_a_file_that_was_replaced_is_not_continued(self):
        def script(peer, index):
            peer.send(describe(GREY, etag=f"version{index}"), frame(index))

        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            next(stream)
            self.refused("changed", next, stream)

    def test_a_response_without_etag_is_not_continued(self):
        server = ScriptedServer(self, lambda peer, _: peer.send(describe(GREY), frame(0)))
        with Stream(HOST, port=server.port) as stream:
            next(stream)
            self.refused("connection_lost", next, stream)
        self.assertEqual(server.connections, 1)

    def test_a_server_that_shuts_down_is_asked_again(self):
        def script(peer, index):
            peer.send(describe(GREY, etag="same"), frame(index))
            peer.send(end((0, 1, 8), reason="end" if index else "shutdown"))

        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            self.assertEqual([each.pts for each in stream], [0, 1])

    def test_without_retries_a_cut_is_raised_after_the_last_frame(self):
        relay = Relay(self, self.site.port, [10_000])
        with self.open("clip.mkv", pixel_format="gray", retries=0, port=relay.port) as stream:
            got = []
            error = self.refused("connection_lost", lambda: got.extend(iter(stream.__next__, 0)))
            self.refused("connection_lost", next, stream)
        self.assertNotIn("tried again", str(error))
        self.assertEqual(relay.connections, 1)

    @unittest.skipIf(sys.platform == "win32", "Windows discards what came before a reset")
    def test_what_came_before_the_connection_was_reset_is_received(self):
        gone = threading.Event()

        def script(peer, _):
            frames = map(frame, range(100))  # more than wait for a loop
            peer.send(describe(GREY), *frames, message(PING, b"?"), end((0, 100, 800)))
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.socket.close()
            gone.set()

        with Stream(HOST, port=ScriptedServer(self, script).port, retries=0) as stream:
            self.wait_for(gone, "reset")
            self.assertEqual([each.pts for each in stream], list(range(100)))

    def test_retries_are_counted_in_a_row(self):
        server = ScriptedServer(self, lambda peer, _: peer.send(describe(GREY, etag="same")))
        with Stream(HOST, port=server.port, retries=3) as stream:
            error = self.refused("connection_lost", next, stream)
        self.assertIn("3 times", str(error))
        self.assertEqual(server.connections, 4)

        # Each connection brings something: there is no end of retries.
        def script(peer, index):
            peer.send(describe(GREY, etag="same"), frame(index))
            if index == 9:
                peer.send(end((0, 1, 8)))

        with Stream(HOST, port=ScriptedServer(self, script).port, retries=1) as stream:
            self.assertEqual([each.pts for each in stream], list(range(10)))


class LiveSources(StreamTestCase):
    def test_a_live_source_goes_on_at_another_server(self):
        retry_at_once(self)
        relay = Relay(self, self.site.port)
        with self.open("cam", pixel_format="gray", port=relay.port, retries=20) as stream:
            self.assertTrue(stream.live)
            frames = [next(stream) for _ in range(3)]
            other = self.site.start()
            self.addCleanup(other.close)
            relay.target = other.port
            relay.cut()
            while not frames[-1].dropped_before:
                frames.append(next(stream))
            self.assertIn("back", [notice.code for notice in stream.notices])
            frames += [next(stream) for _ in range(3)]
        times = [each.time for each in frames]
        self.assertEqual(times, sorted(set(times)))
        self.assertLess(times[-1] - times[0], 60)

    def test_a_live_source_that_is_gone_for_a_while_is_awaited(self):
        retry_at_once(self)
        answers = ["media_error", "not_found", "busy"]

        def script(peer, index):
            if 0 < index <= len(answers):
                peer.send(message(ERROR, {"code": answers[index - 1], "message": "gone"}))
                return
            peer.send(describe(GREY, live=True), frame(7, captured=0))
            if index:
                peer.wait_closed()

        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            first, second = next(stream), next(stream)
        self.assertGreaterEqual(second.time, first.time)
        self.assertTrue(second.dropped_before)


if __name__ == "__main__":
    unittest.main()
