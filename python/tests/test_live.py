"""Live sources: the newest frame or every frame, with the audio and the messages of its time."""

import threading
import time
import unittest

from stream_client import Stream, get_image, list_media

from .peers import (
    DISCONTINUITY, DROPPED, GREY, JSON_DATA, KEYFRAME, NOTICE, PING, SOUND, ScriptedServer,
    describe, end, frame, message, now,
)
from .support import HOST, StreamTestCase, example_publisher, open_site, retry_at_once

publish = example_publisher()

HOUR = 3_600_000_000
"""Microseconds."""

MILLISECONDS = [1, 1000]

VIDEO = {
    "id": 3, "type": "video", "codec": "rawvideo", "timeBase": MILLISECONDS, "width": 8,
    "height": 4, "pixelFormat": "gray",
}
OBJECTS = {"id": 5, "type": "data", "codec": "json", "timeBase": MILLISECONDS}
WORDS = {"id": 6, "type": "data", "codec": "bytes", "timeBase": MILLISECONDS}


def setUpModule():
    StreamTestCase.site = open_site("--live", "cam=lavfi:testsrc2=size=32x24:rate=25")


def say(text, milliseconds):
    """A message of :data:`JSON_DATA`."""
    return frame(milliseconds, stream=7, payload=text, captured=now())


def beep(sample):
    """Ten samples of :data:`SOUND`, each with the number of the first."""
    return frame(sample, stream=1, payload=sample.to_bytes(2, "little") * 10, captured=now())


class Latest(StreamTestCase):
    def follow(self, script, **options):
        """A stream of the newest frames of a scripted server."""
        server = ScriptedServer(self, script)
        stream = Stream(HOST, port=server.port, latest=True, **options)
        self.addCleanup(stream.close)
        return stream

    def test_a_loop_that_was_held_up_gets_the_newest_frame(self):
        received, go_on = threading.Event(), threading.Event()

        def script(peer, _):
            self.assertEqual(peer.request["late"], "drop")
            peer.send(describe(GREY, live=True), frame(0, captured=now()))
            peer.sync()
            for burst in (range(1, 20), range(20, 31)):
                self.wait_for(go_on, "frame taken")
                go_on.clear()
                peer.send(*[frame(number, captured=now()) for number in burst])
                peer.sync()
                received.set()
            peer.wait_closed()

        stream = self.follow(script)
        first = next(stream)
        self.assertEqual((first.pts, first.dropped_before), (0, False))
        for expected, dropped in ((19, 18), (30, 28)):
            go_on.set()
            self.wait_for(received, "burst")
            received.clear()
            newest = next(stream)
            self.assertEqual((newest.pts, newest.dropped_before), (expected, True))
            self.assertEqual(bytes(newest.bytes), bytes([expected]) * 8)
            self.assertEqual(stream.dropped, dropped)

    def test_a_quick_loop_gets_every_frame(self):
        taken = threading.Semaphore(0)

        def script(peer, _):
            peer.send(describe(GREY, live=True))
            for number in range(20):
                peer.send(frame(number, captured=now()))
                taken.acquire()
            peer.send(end((0, 20, 160)))
            peer.wait_closed()  # a close with something unread loses the end

        got = []
        for each in self.follow(script):
            got.append((each.pts, each.dropped_before))
            taken.release()
        self.assertEqual(got, [(number, False) for number in range(20)])

    def test_what_came_with_replaced_frames_is_not_lost(self):
        received = threading.Event()

        def script(peer, _):
            peer.send(describe(GREY, SOUND, JSON_DATA, live=True))
            for number in range(10):
                peer.send(
                    say(b"%d" % number, 40 * number), beep(10 * number),
                    frame(number, captured=now()),
                )
            peer.sync()
            received.set()
            peer.send(say(b'"rest"', 10_000), beep(100))
            peer.send(end((0, 10, 80), (1, 11, 220), (7, 11, 16)))

        stream = self.follow(script, audio=True)
        self.wait_for(received, "frames")
        newest = next(stream)
        self.assertEqual((newest.pts, newest.dropped_before), (9, True))
        self.assertEqual([each.value for each in newest.data], list(range(10)))
        self.assertEqual([each.pts for each in newest.audio], list(range(0, 100, 10)))
        self.assertEqual(list(stream), [])
        self.assertEqual([each.pts for each in stream.rest], [100, 10_000])
        self.assertEqual(stream.rest[1].value, "rest")

    def test_messages_alone_are_not_lost_either(self):
        received = threading.Event()

        def script(peer, _):
            self.assertEqual(peer.request["data"], "only")
            peer.send(describe(JSON_DATA, live=True), *[say(b"%d" % at, at) for at in range(9)])
            peer.sync()
            received.set()
            peer.send(end((7, 9, 9)))

        stream = self.follow(script, data="only")
        self.wait_for(received, "messages")
        frames = list(stream)
        self.assertEqual([each.value for each in frames[-1].data], list(range(9)))

    def test_the_newest_frame_of_a_real_source_is_new(self):
        stream = self.open("cam", latest=True, pixel_format="bgr24")
        self.assertTrue(stream.live)
        self.assertIsNone(stream.duration)
        self.assertRaises(ValueError, stream.seek, 0)
        times = []
        for _ in range(10):  # more than are under way at once
            each = next(stream)
            times.append(each.time)
            self.assertEqual(len(each.bytes), 32 * 24 * 3)
            self.assertLess(abs(time.time() - each.capture_time), 30)
            self.assertGreaterEqual(each.latency, 0)
        self.assertEqual(times, sorted(set(times)))


class Times(StreamTestCase):
    def live(self, *messages, clock=now, **options):
        """Takes the frames of a live response."""
        def script(peer, _):
            peer.sync()  # its clock is known
            peer.send(*messages)

        server = ScriptedServer(self, script, clock=clock)
        with Stream(HOST, port=server.port, **options) as stream:
            return list(stream)

    def test_latency_is_by_the_own_clock(self):
        captured = now() + HOUR - 2_000_000
        before = time.time()
        (each,) = self.live(
            describe(GREY, live=True), frame(0, captured=captured), end((0, 1, 8)),
            clock=lambda: now() + HOUR,
        )
        self.assertLess(abs(each.capture_time - (captured - HOUR) / 1e6), 1)
        self.assertGreaterEqual(each.latency, 1)
        self.assertLess(each.latency, 4 + time.time() - before)

    def test_a_capture_time_is_never_in_the_future(self):
        (each,) = self.live(
            describe(GREY, live=True), frame(0, captured=now() + HOUR), end((0, 1, 8))
        )
        self.assertLessEqual(each.capture_time, time.time())
        self.assertGreaterEqual(each.latency, 0)

    def test_the_clock_is_asked_again_while_frames_come(self):
        self.patch("stream_client._protocol.connection.PING_INTERVAL", 0)

        def script(peer, _):
            peer.send(describe(GREY, live=True))
            for number in range(3):
                peer.send(frame(number, captured=now()))
                peer.hear(PING)
            peer.send(end((0, 3, 24)))

        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            self.assertEqual(len(list(stream)), 3)

    def test_messages_come_with_the_first_frame_that_is_not_before_them(self):
        got = self.live(
            describe(GREY, JSON_DATA, live=True),
            say(b"1", 0), frame(0, captured=now()),
            say(b"2", 20), say(b"3", 41), say(b"4", 101), frame(1, captured=now()),
            frame(2, captured=now()), say(b"5", 70), frame(3, captured=now()),
            end((0, 4, 32), (7, 5, 5)),
        )
        self.assertEqual(
            [[each.value for each in one.data] for one in got], [[1], [2, 3], [], [4, 5]]
        )

    def test_messages_keep_their_times_if_a_cut_came_before_the_first_picture(self):
        retry_at_once(self)

        def script(peer, index):
            peer.send(describe(GREY, JSON_DATA, live=True))
            if index == 0:
                peer.send(say(b"0", 0))
                return peer.sync()
            peer.send(
                say(b"1", 10), frame(1, captured=now()), say(b"2", 70), frame(2, captured=now()),
                end((0, 2, 16), (7, 2, 2)),
            )
            peer.wait_closed()

        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            got = [[each.value for each in one.data] for one in stream]
        self.assertEqual(got, [[0, 1], [2]])
        self.assertEqual(stream.rest, [])

    def test_flags_tell_of_frames_that_are_missing(self):
        got = self.live(
            describe(GREY, live=True), frame(0, captured=now()),
            frame(5, captured=now(), flags=KEYFRAME | DROPPED),
            frame(6, captured=now(), flags=0),
            frame(9, captured=now(), flags=KEYFRAME | DISCONTINUITY), end((0, 4, 32)),
        )
        self.assertEqual([each.dropped_before for each in got], [False, True, False, True])
        self.assertEqual([each.keyframe for each in got], [True, True, False, True])

    def test_a_source_that_changes_its_size_goes_on(self):
        large = {**GREY, "id": 1, "width": 6, "height": 3}
        got = self.live(
            describe(GREY, live=True), frame(0, captured=now()), describe(large, live=True),
            frame(1, stream=1, payload=bytes(18), captured=now()),
            end((0, 1, 8), (1, 1, 18)),
        )
        self.assertEqual([(each.stream.width, len(each.bytes)) for each in got], [(4, 8), (6, 18)])

    def test_notices_are_kept(self):
        def script(peer, _):
            self.assertIs(peer.request["redescribe"], True)
            peer.send(
                message(NOTICE, {"code": "waiting", "message": "soon", "position": 2}),
                describe(GREY, live=True, notes=["two\nlines"]),
                message(NOTICE, {"code": "dropped", "message": "slow", "dropped": 12}),
                message(NOTICE, {"code": "brand_new"}),
                frame(0, captured=now()), end((0, 1, 8)),
            )

        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            list(stream)
        self.assertEqual(
            [(each.code, each.message) for each in stream.notices],
            [("waiting", "soon"), ("note", '"two\\nlines"'), ("dropped", "slow"),
             ("brand_new", "")],
        )
        self.assertEqual(stream.notices[0].fields["position"], 2)
        self.assertEqual(stream.dropped, 12)


class Published(StreamTestCase):
    def publisher(self, name, *streams):
        """A publisher that begins when it is watched."""
        made = publish.Publisher((HOST, self.site.port), name, on_demand=True)
        self.addCleanup(self.finish, made)
        made.describe(*streams)
        return made

    def finish(self, publisher):
        """Ends a publisher that may have ended."""
        if publisher.reader.is_alive():
            publisher.finish()
        publisher.socket.close()

    def watch(self, publisher, send, name, **options):
        """Takes all frames of a source that is sent by another thread."""
        def run():
            self.wait_for(publisher.watched, "viewer")
            send(publisher)
            publisher.finish()

        thread = threading.Thread(target=run)
        thread.start()
        with self.open(name, **options) as stream:
            frames = list(stream)
            rest = stream.rest
        self.join(thread)
        return frames, rest

    def test_every_frame_and_message_arrives(self):
        def send(publisher):
            for number in range(200):
                publisher.frame(b'{"number": %d}' % number, 5 * number, 5)
                publisher.frame(b"\0word %d" % number, 5 * number, 6)
                publisher.frame(bytes([number]) * 32, 5 * number, 3)
            publisher.frame(b'"late"', 1_500, 5)

        publisher = self.publisher("robot", VIDEO, OBJECTS, WORDS)
        (entry,) = [each for each in list_media(HOST, port=self.site.port) if each.published]
        self.assertEqual((entry.name, entry.live), ("robot", True))
        frames, rest = self.watch(publisher, send, "robot")
        numbers = [each.bytes[0] for each in frames]
        self.assertEqual(numbers, list(range(numbers[0], 200)))
        self.assertLess(numbers[0], 5)
        for each in frames[1:]:
            self.assertEqual(bytes(each.bytes), bytes([each.bytes[0]]) * 32)
            values = {one.stream.codec: one.value for one in each.data}
            self.assertEqual(values, {
                "json": {"number": each.bytes[0]}, "bytes": b"\0word %d" % each.bytes[0],
            })
            self.assertLess(abs(time.time() - each.capture_time), 60)
        self.assertFalse(any(each.dropped_before for each in frames[1:]))
        self.assertEqual([each.value for each in rest], ["late"])

    def test_data_may_be_left_out_or_come_alone(self):
        def send(publisher):
            for number in range(20):
                publisher.frame(b"%d" % number, 10 * number, 5)
                publisher.frame(bytes([number]) * 32, 10 * number, 3)

        frames, _ = self.watch(
            self.publisher("first", VIDEO, OBJECTS), send, "first", data=False
        )
        self.assertEqual({each.stream.type for each in frames}, {"video"})
        self.assertEqual({each.data for each in frames}, {()})

        frames, rest = self.watch(
            self.publisher("second", VIDEO, OBJECTS), send, "second", data="only"
        )
        self.assertEqual({each.stream.type for each in frames}, {"data"})
        values = [one.value for each in frames for one in each.data]
        self.assertEqual(values, list(range(values[0], 20)))
        self.assertEqual([bytes(each.bytes) for each in frames], [b"%d" % one for one in values])
        self.assertRaisesRegex(ValueError, "no video", lambda: frames[0].image)
        self.assertEqual(rest, [])

    def test_get_image_gives_the_next_frame(self):
        publisher = self.publisher("still", VIDEO)

        def run():
            self.wait_for(publisher.watched, "viewer")
            publisher.frame(bytes(range(32)), 0, 3)

        thread = threading.Thread(target=run)
        thread.start()
        image = get_image(HOST, "still", port=self.site.port)
        self.join(thread)
        self.assertEqual(bytes(image.bytes), bytes(range(32)))
        self.assertIsNotNone(image.capture_time)


if __name__ == "__main__":
    unittest.main()
