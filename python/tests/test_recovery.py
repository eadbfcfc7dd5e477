"""What is done again, and what is not: cuts, seeks and retries against servers of a script."""

import itertools
import struct
import threading
import unittest
from types import SimpleNamespace
from unittest import mock

from stream_client import ConnectionLost, Publisher
from stream_client._protocol.connection import Connection
from stream_client._receiver import Receiver
from stream_client._sender import VIDEO_ID, Link

from .peers import (
    CONTROL, ERROR, FRAME, GREY, NOTICE, SOUND, ScriptedServer, describe, end, frame, message,
)
from .support import HOST, PATIENCE, StreamTestCase, happens_before, retry_at_once

FILE = describe(GREY, etag="same")

JPEG = bytes.fromhex("ffd8 ffc0 000b 08 0002 0004 01")
"""As much of a JPEG of 4 × 2 pixels as states its size."""


def sound(first, after):
    """Audio whose samples are their own numbers."""
    samples = struct.pack(f"<{after - first}h", *range(first, after))
    return frame(first, stream=1, payload=samples)


def dropped(count):
    """A notice of dropped frames."""
    return message(NOTICE, {"code": "dropped", "message": "Dropped", "dropped": count})


def failure(code):
    """An error."""
    return message(ERROR, {"code": code, "message": "No"})


def numbers(frames):
    return [each.pts for each in frames]


class RecoveryTestCase(StreamTestCase):
    def setUp(self):
        super().setUp()
        retry_at_once(self)

    def serve(self, *scripts, **options):
        """A stream from a server that has a script for each connection."""
        def script(peer, index):
            scripts[index](peer)

        self.server = ScriptedServer(self, script)
        return self.open(port=self.server.port, **options)


class Seeks(RecoveryTestCase):
    def test_a_cut_after_the_echo_does_not_undo_a_seek(self):
        def cut(peer):
            peer.send(FILE, *map(frame, range(500, 505)))
            peer.answer_seek()

        def finish(peer):
            self.assertNotIn("resume", peer.request)
            peer.send(FILE)
            self.assertEqual(peer.answer_seek(), 2)
            peer.send(frame(50), end((0, 1, 8)))

        stream = self.serve(cut, finish)
        self.assertEqual(next(stream).pts, 500)
        stream.seek(2)
        self.assertEqual(numbers(stream), [50])

    def test_after_a_seek_each_stream_goes_on_by_itself(self):
        both = describe(GREY, SOUND, etag="same")

        def seek_back(peer):
            peer.send(both, sound(32_000, 32_100), frame(100))
            peer.answer_seek()
            peer.send(frame(25))
            peer.sync()

        def continue_sound(peer):
            peer.send(both)
            self.assertEqual(peer.answer_seek(), 1)
            peer.send(frame(25), sound(8000, 8100))
            peer.sync()

        def finish(peer):
            peer.send(both)
            self.assertEqual(peer.answer_seek(), 1)
            peer.send(sound(8050, 8250), frame(25), frame(26), end((0, 2, 16), (1, 1, 400)))

        stream = self.serve(seek_back, continue_sound, finish, audio=True)
        self.assertEqual(next(stream).pts, 100)
        stream.seek(1)
        frames = list(stream)
        parts = [part for each in frames for part in each.audio] + stream.rest
        self.assertEqual(numbers(frames), [25, 26])
        self.assertEqual(numbers(parts), [8000, 8100])
        samples = struct.unpack("<250h", b"".join(bytes(part.bytes) for part in parts))
        self.assertEqual(samples, tuple(range(8000, 8250)))

    def test_a_seek_is_repeated_to_where_the_slowest_stream_is(self):
        both, times = describe(GREY, SOUND, etag="same"), []

        def play(*messages):
            def script(peer):
                peer.send(both)
                times.append(peer.answer_seek())
                peer.send(*messages)
                peer.sync()

            return script

        stream = self.serve(
            play(frame(25), sound(8000, 8100), frame(30)),
            play(frame(26), sound(8099, 8200), frame(31)),
            play(frame(100)),
            play(end()),
            audio=True,
        )
        stream.seek(1)
        frames = list(stream)
        parts = [part for each in frames for part in each.audio]
        self.assertEqual(numbers(frames), [25, 30, 31, 100])
        self.assertEqual(numbers(parts), [8000, 8100])
        # The last one is far behind the video, which has no sound any more.
        for time, expected in itertools.zip_longest(times, [1, 1.0125, 1.025, 3]):
            self.assertAlmostEqual(time, expected, delta=0.002)

    def test_a_seek_that_came_too_late_for_a_request_is_asked_for_again(self):
        def end_without_echo(peer):
            peer.send(FILE, frame(0), dropped(3), end((0, 1, 8)))

        def finish(peer):
            peer.send(FILE)
            self.assertEqual(peer.answer_seek(), 1)
            peer.send(frame(25), dropped(2), end((0, 1, 8)))

        receivers = []

        def seek():
            receivers[0].seek(1)

        start = Receiver.start

        def note(receiver):
            receivers.append(receiver)
            start(receiver)

        with mock.patch.object(Receiver, "start", note), \
                happens_before(Receiver, "_receive_all", seek):
            stream = self.serve(end_without_echo, finish)
            self.assertEqual(numbers(stream), [25])
        self.assertEqual(stream.dropped, 5)

    def test_a_server_that_pauses_for_a_busy_loop_goes_on_after_a_seek(self):
        paused, actions = threading.Event(), []

        def script(peer):
            peer.send(FILE, *map(frame, range(65)))
            while actions[-1:] != ["seek"]:
                heard = peer.hear(CONTROL)
                actions.append(heard.json["action"])
                paused.set()
            peer.send(message(CONTROL, heard.payload), frame(50), end((0, 66, 66 * 8)))

        with mock.patch("stream_client._receiver.KEEP_ALIVE", 0.001):
            stream = self.serve(script)
            self.wait_for(paused, "pause")
            stream.seek(2)
            self.assertEqual(numbers(stream), [50])
        self.assertEqual(actions, ["pause", "resume", "seek"])

    def test_a_loop_continues_in_its_round(self):
        clip = describe(GREY, etag="same", duration=4)

        def play(peer):
            peer.send(clip)
            peer.answer_seek()
            peer.send(frame(25), frame(125), frame(130))  # the latter in the second round

        def finish(peer):
            peer.send(clip)
            self.assertAlmostEqual(peer.answer_seek(), 1.2)
            peer.send(frame(31), end((0, 1, 8)))

        def cut(peer):
            peer.send(clip)
            self.assertEqual(peer.answer_seek(), 1)

        stream = self.serve(cut, cut, play, finish, loop=True)
        stream.seek(1)
        self.assertEqual(numbers(stream), [25, 125, 130, 31])

    def test_packets_after_a_seek_and_a_cut_can_be_decoded(self):
        packets = describe({**GREY, "codec": "h264"}, {**SOUND, "codec": "aac"}, etag="same")

        def audio(time):
            return frame(time, stream=1, payload=b"sound")

        def group(*others):
            return frame(100), *(frame(each, flags=0) for each in others), audio(32_000)

        def cut(peer):
            peer.send(packets)
            peer.answer_seek()
            peer.send(*group(103, 101))

        def finish(peer):
            peer.send(packets)
            peer.answer_seek()
            peer.send(*group(103, 101, 102, 104), audio(33_000), end((0, 5, 40), (1, 2, 10)))

        stream = self.serve(cut, finish, encoding="copy", audio=True)
        stream.seek(4)
        frames = list(stream)
        self.assertEqual(numbers(frames), [100, 103, 101, 100, 103, 101, 102, 104])
        parts = [part for each in frames for part in each.audio] + stream.rest
        self.assertEqual(numbers(parts), [32_000, 33_000])

    def test_a_seek_after_an_error_begins_anew_with_all_retries(self):
        def fail(peer):
            peer.send(FILE, frame(0))

        def finish(peer):
            peer.send(FILE)
            self.assertEqual(peer.answer_seek(), 1)
            peer.send(frame(25), end((0, 1, 8)))

        def cut(_):
            pass

        stream = self.serve(fail, cut, cut, finish, retries=1)
        self.assertEqual(next(stream).pts, 0)
        self.refused("connection_lost", next, stream)
        stream.seek(1)
        self.assertEqual(numbers(stream), [25])


class Cuts(RecoveryTestCase):
    def test_no_frame_is_lost_while_the_loop_is_busy(self):
        busy = threading.Event()

        def fail(_):
            busy.set()
            raise ConnectionLost("It was cut")

        def cut(peer):
            peer.send(FILE, *map(frame, range(65)))
            busy.wait(PATIENCE)

        def finish(peer):
            first = peer.request["resume"][0]["after"] + 1
            peer.send(FILE, *map(frame, range(first, 70)))
            peer.send(end((0, 70 - first, (70 - first) * 8)))

        with mock.patch("stream_client._receiver.KEEP_ALIVE", 0.001), \
                mock.patch.object(Connection, "keep_alive", fail):
            stream = self.serve(cut, finish)
            self.wait_for(busy, "keep-alive")
            self.assertEqual(numbers(stream), list(range(70)))

    def live_cut_after(self, seconds):
        """Requests for 100 seconds of a live source, which is cut after some, and the stream."""
        clock, durations = [1000.0], []
        live = describe(GREY, live=True)

        def cut(peer):
            durations.append(peer.request["duration"])
            peer.send(live, frame(0, captured=0))
            peer.sync()
            clock[0] += seconds

        def finish(peer):
            durations.append(peer.request["duration"])
            peer.send(live, end())

        patch = mock.patch(
            "stream_client._progress.time", SimpleNamespace(monotonic=lambda: clock[0])
        )
        with patch:
            stream = self.serve(cut, finish, duration=100)
            self.assertEqual(numbers(stream), [0])
        return durations, stream

    def test_the_duration_of_a_live_source_goes_on(self):
        durations, _ = self.live_cut_after(30)
        self.assertEqual(durations, [100, 70])

    def test_a_live_source_that_is_over_after_a_cut_is_not_asked_again(self):
        durations, stream = self.live_cut_after(100)
        self.assertEqual(durations, [100])
        self.assertIn("is over", stream.notices[-1].message)

    def test_cuts_in_a_pause_do_not_use_up_the_retries(self):
        paused = threading.Event()

        def begin(peer):
            peer.send(FILE, frame(0))
            peer.hear(CONTROL)

        def cut(peer):
            peer.send(FILE)
            peer.hear(CONTROL)

        def finish(peer):
            peer.send(FILE)
            peer.hear(CONTROL)
            paused.set()
            self.assertEqual(peer.hear(CONTROL).json, {"action": "resume"})
            peer.send(frame(1), end((0, 1, 8)))

        stream = self.serve(begin, *[cut] * 4, finish, retries=2)
        self.assertEqual(next(stream).pts, 0)
        stream.pause()
        self.wait_for(paused, "pause on the last connection")
        stream.resume()
        self.assertEqual(numbers(stream), [1])

    def test_dropped_frames_are_added_up(self):
        stream = self.serve(
            lambda peer: peer.send(FILE, frame(0), dropped(1), dropped(3)),
            lambda peer: peer.send(FILE, frame(1), dropped(2), end((0, 1, 8))),
        )
        self.assertEqual(numbers(stream), [0, 1])
        self.assertEqual(stream.dropped, 5)

    def test_a_source_that_is_not_there_yet_is_awaited_if_asked_to(self):
        scripts = [
            lambda peer: peer.send(failure("not_found")),
            lambda peer: peer.send(failure("media_error")),
            lambda peer: peer.send(describe(GREY, live=True), frame(7, captured=0), end((0, 1, 8))),
        ]
        self.assertEqual(numbers(self.serve(*scripts, retries=2)), [7])
        self.refused("not_found", self.serve, *scripts)
        self.assertEqual(self.server.connections, 1)


class Publishers(RecoveryTestCase):
    def publish(self, *scripts):
        """A publisher to a server that has a script for each connection, once it has accepted."""
        def script(peer, index):
            peer.accept()
            scripts[index](peer)

        self.taken = []
        return Publisher(HOST, "x", port=ScriptedServer(self, script).port)

    def test_a_server_that_ends_the_source_unasked_is_asked_again(self):
        again = threading.Event()

        def stop(peer):
            peer.hear(FRAME)
            peer.send(end((1, 1, 1)))
            peer.wait_closed()

        def take(peer):
            again.set()
            peer.take_published(self.taken)

        with self.publish(stop, take) as out:
            out.write(data=1)
            self.wait_for(again, "second connection")
            out.write(data=2)
        self.assertEqual(self.taken, [(1, b"2")])
        self.assertEqual(out.totals.reconnects, 1)

    def test_a_frame_that_is_not_sent_as_a_whole_is_dropped(self):
        failed, again = threading.Event(), threading.Event()
        send = Link.send

        def fail_once(link, stream, *others):
            if stream == VIDEO_ID and not failed.is_set():
                failed.set()
                link.connection.shut_down()
                raise ConnectionLost("It was cut")
            send(link, stream, *others)

        def take(peer):
            again.set()
            peer.take_published(self.taken)

        with mock.patch.object(Link, "send", fail_once):
            with self.publish(lambda peer: peer.wait_closed(), take) as out:
                out.write_jpeg(JPEG)
                self.wait_for(again, "second connection")
                out.write_jpeg(JPEG)
        self.assertEqual(self.taken, [(0, JPEG)])
        self.assertEqual((out.totals.frames, out.totals.dropped), (1, 1))


if __name__ == "__main__":
    unittest.main()
