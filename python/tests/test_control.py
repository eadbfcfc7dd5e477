"""Seeks, pauses, and a loop that does not take frames."""

import threading
import unittest

from stream_client import Stream

from .peers import (
    CONTROL, GREY, PONG, SOUND, Relay, ScriptedServer, describe, end, frame, message,
)
from .support import (
    HOST, StreamTestCase, decoded, open_site, pictures, pieces, retry_at_once, samples_of, tone,
)

FRAMES = 250


def setUpModule():
    site = StreamTestCase.site = open_site()
    site.make(
        "clip.mkv", *pictures(seconds=10), *tone(seconds=10), "-c:v", "libx264", "-preset",
        "ultrafast", "-bf", "2", "-g", "50", "-pix_fmt", "yuv420p", "-c:a", "flac",
    )


class Seeks(StreamTestCase):
    @classmethod
    def setUpClass(cls):
        cls.expected = pieces(decoded(cls.site.path / "clip.mkv", "-pix_fmt", "gray"), FRAMES)

    def check(self, frames, numbers, start=0):
        """Compares frames with those of ffmpeg with these numbers."""
        self.assertEqual(
            [round(each.time * 25) + start for each in frames], list(numbers), "times"
        )
        self.assertEqual(
            [bytes(each.bytes) for each in frames], [self.expected[at] for at in numbers]
        )

    def open_clip(self, **options):
        return self.open("clip.mkv", **{"pixel_format": "gray", **options})

    def test_a_seek_gives_the_first_frame_at_or_after_it(self):
        with self.open_clip() as stream:
            next(stream)
            for to, first in ((4, 100), (1.001, 26), (9.5, 238), (0, 0)):
                stream.seek(to)
                self.check([next(stream), next(stream)], [first, first + 1])
            self.check(list(stream), range(2, FRAMES))

    def test_a_seek_counts_from_the_beginning_of_the_file(self):
        with self.open_clip(start=2, duration=3) as stream:
            stream.seek(4)
            self.check(list(stream), range(100, 125), start=50)
            stream.seek(1)
            self.check([next(stream)], [25], start=50)

    def test_a_seek_past_the_end_ends(self):
        with self.open_clip() as stream:
            next(stream)
            stream.seek(1000)
            self.assertEqual(list(stream), [])

    def test_a_seek_after_the_end_goes_on(self):
        with self.open_clip(start=9.8) as stream:
            self.assertEqual(len(list(stream)), 5)
            stream.seek(9.6)
            self.check(list(stream), range(240, 250), start=245)
            stream.seek(1000)
            self.assertEqual(list(stream), [])
            stream.seek(9.9)
            self.check(list(stream), range(248, 250), start=245)

    def test_of_many_seeks_the_last_one_counts(self):
        with self.open_clip() as stream:
            for to in range(1, 10):
                stream.seek(to)
            self.check(list(stream), range(225, 250))

    def test_a_seek_discards_what_waits_in_a_full_queue(self):
        relay = Relay(self, self.site.port)
        self.patch("stream_client._receiver.KEEP_ALIVE", 0.01)
        with self.open_clip(port=relay.port) as stream:
            relay.wait_sent(b'"pause"')  # nothing has room any more
            stream.seek(8)
            self.check(list(stream), range(200, 250))

    def test_a_seek_keeps_the_audio_that_follows_it(self):
        with self.open_clip(audio=True) as stream:
            next(stream)
            stream.seek(9)
            frames = list(stream)
            self.check(frames, range(225, 250))
            parts = [part for each in frames for part in each.audio] + stream.rest
            self.assertTrue(parts)
            self.assertLess(abs(parts[0].time - 9), 0.25)
            codec = parts[0].stream.codec
            whole = samples_of(self.site.path / "clip.mkv", codec[len("pcm_"):])
            first = parts[0].pts * (len(whole) // 480_000)
            self.assertEqual(b"".join(bytes(part.bytes) for part in parts), whole[first:])

    def test_a_seek_that_cannot_be_is_refused(self):
        with self.open_clip() as stream:
            for to in (-1, float("nan"), float("inf"), 2e8):
                with self.subTest(to), self.assertRaises(ValueError):
                    stream.seek(to)
            self.check([next(stream)], [0])
        with self.assertRaises(ValueError):
            stream.seek(1)

    def test_frames_before_the_reply_to_a_seek_are_not_given(self):
        def script(peer, _):
            peer.send(describe(GREY), frame(0))
            control = peer.hear(CONTROL)
            peer.send(frame(1), frame(2), message(CONTROL, control.payload))
            peer.send(frame(9, flags=5), end((0, 4, 32)))

        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            self.assertEqual(next(stream).pts, 0)
            stream.seek(9 / 25)
            self.assertEqual([each.pts for each in stream], [9])

    def test_a_seek_that_the_server_did_not_see_in_time_is_asked_again(self):
        """The end may cross with the seek."""
        def script(peer, index):
            peer.send(describe(GREY, etag="same"))
            if index == 0:
                peer.send(frame(0))
                peer.hear(CONTROL)
                peer.send(end((0, 1, 8)))
                return
            control = peer.hear(CONTROL)
            peer.send(message(CONTROL, control.payload), frame(5, flags=5), end((0, 1, 8)))

        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            next(stream)
            stream.seek(0.2)
            self.assertEqual([each.pts for each in stream], [5])

    def test_a_seek_of_a_request_that_ended_without_a_reply_is_asked_again(self):
        """The server may have sent all before it reads the seek behind the request."""
        def script(peer, index):
            peer.send(describe(GREY, etag="same"))
            if index == 0:
                peer.send(frame(0), end((0, 1, 8)))
                return
            control = peer.hear(CONTROL)
            if index == 1:
                peer.send(frame(0), end((0, 1, 8)))
                return
            peer.send(message(CONTROL, control.payload), frame(5, flags=5), end((0, 1, 8)))

        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            self.assertEqual([each.pts for each in stream], [0])
            stream.seek(0.2)
            self.assertEqual([each.pts for each in stream], [5])

    def test_audio_from_before_a_seek_is_not_given_after_it(self):
        def beep(at):
            return frame(at, stream=1, payload=bytes(20))

        received = threading.Event()

        def script(peer, index):
            peer.send(describe(GREY, SOUND, etag="same"))
            if index == 0:
                peer.send(beep(0), frame(0), beep(10))
                peer.sync()
                received.set()
            control = peer.hear(CONTROL)
            peer.send(message(CONTROL, control.payload), beep(100), frame(9, flags=5), beep(110))
            peer.send(end(*([(0, 1, 8), (1, 2, 40)] if index else [(0, 2, 16), (1, 4, 80)])))

        with Stream(HOST, port=ScriptedServer(self, script).port, audio=True) as stream:
            self.assertEqual([part.pts for part in next(stream).audio], [0])
            self.wait_for(received, "audio")
            for _ in range(2):
                stream.seek(9 / 25)
                (got,) = stream
                self.assertEqual([part.pts for part in got.audio], [100])
                self.assertEqual([part.pts for part in stream.rest], [110])


class Pauses(StreamTestCase):
    def test_nothing_comes_in_a_pause(self):
        heard = []

        def script(peer, _):
            peer.send(describe(GREY), frame(0))
            for _ in range(2):
                heard.append(peer.hear(CONTROL).json["action"])
            peer.send(frame(1), end((0, 2, 16)))

        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            next(stream)
            stream.pause()
            stream.pause()
            stream.resume()
            stream.resume()
            self.assertEqual([each.pts for each in stream], [1])
        self.assertEqual(heard, ["pause", "resume"])

    def test_every_frame_comes_after_a_pause(self):
        expected = pieces(decoded(self.site.path / "clip.mkv", "-pix_fmt", "gray"), FRAMES)
        relay = Relay(self, self.site.port)
        with self.open("clip.mkv", pixel_format="gray", port=relay.port) as stream:
            first = next(stream)
            stream.pause()
            relay.wait_sent(b'"pause"')
            stream.seek(5)  # in a pause, only the frame of that time
            shown = next(stream)
            stream.resume()
            rest = list(stream)
        self.assertEqual(bytes(first.bytes), expected[0])
        self.assertEqual([bytes(each.bytes) for each in (shown, *rest)], expected[125:])

    def test_a_pause_is_kept_over_connections(self):
        heard = []
        paused_again = threading.Event()

        def script(peer, index):
            peer.send(describe(GREY, etag="same"))
            if index == 0:
                peer.send(frame(0))
            heard.append(peer.hear(CONTROL).json["action"])
            if index == 0:
                return
            paused_again.set()
            heard.append(peer.hear(CONTROL).json["action"])
            peer.send(frame(1), end((0, 1, 8)))

        retry_at_once(self)
        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            next(stream)
            stream.pause()
            self.wait_for(paused_again, "second pause")
            stream.resume()
            self.assertEqual([each.pts for each in stream], [1])
        self.assertEqual(heard, ["pause", "pause", "resume"])


class StoppedLoop(StreamTestCase):
    def test_no_frame_is_lost_by_a_loop_that_stops_for_long(self):
        path = self.site.make(
            "long.mkv", *pictures("160x120", seconds=10), "-c:v", "mpeg4", "-qscale:v", "5",
        )
        expected = pieces(decoded(path, "-pix_fmt", "bgr24"), FRAMES)
        relay = Relay(self, self.site.port)
        self.patch("stream_client._receiver.KEEP_ALIVE", 0.01)
        with self.open("long.mkv", pixel_format="bgr24", port=relay.port) as stream:
            relay.wait_sent(b'"pause"')
            got = [bytes(each.bytes) for each in stream]
            self.assertEqual(stream.dropped, 0)
        self.assertEqual(got, expected)

    def test_the_server_is_told_to_go_on_when_the_loop_does(self):
        """A pong tells it that the client is alive, though it does not read."""
        count = 100
        heard = []
        paused = threading.Event()

        def script(peer, _):
            peer.send(describe(GREY), *[frame(number) for number in range(count)])
            signs = [peer.hear(CONTROL, PONG) for _ in range(2)]
            heard.extend(each.json for each in signs if each.kind == CONTROL)
            paused.set()
            heard.append(peer.hear(CONTROL).json)
            peer.send(frame(count), end((0, count + 1, 8 * count + 8)))

        self.patch("stream_client._receiver.KEEP_ALIVE", 0.01)
        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            self.wait_for(paused, "pause")
            got = [each.pts for each in stream]
        self.assertEqual(got, list(range(count + 1)))
        self.assertEqual(heard, [{"action": "pause"}, {"action": "resume"}])


if __name__ == "__main__":
    unittest.main()
