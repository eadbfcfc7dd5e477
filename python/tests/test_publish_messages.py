"""Messages, JPEG and times that are published."""

import math
import threading
import unittest

from .publishing import PublishTestCase, take_all, wait_connected
from .support import HAS_NUMPY, PATIENCE, decoded, ffmpeg, open_site, pictures

if not HAS_NUMPY:
    raise unittest.SkipTest("no numpy")

import numpy as np  # noqa: E402 - it may be missing

IMAGE = np.zeros((4, 6), np.uint8)

NESTED = 400
"""Lists in each other that JSON of Python reads and writes at any depth of calls."""


def setUpModule():
    PublishTestCase.site = open_site()


def values_of(parts):
    """The values of messages."""
    return [part.value for part in parts]


class Messages(PublishTestCase):
    def test_each_value_arrives_with_its_frame(self):
        nested = []
        for _ in range(NESTED):
            nested = [nested]
        values = [
            {"boxes": [[1, 2, 3, 4.5]], "label": "ä\n\u2028", "": None}, [], {}, "", "text", 0, -1,
            2**70, 0.1, 1e300, True, False, "\0\ud800", nested, "x" * 500_000,
        ]

        def write(out):
            for value in values:
                out.write(IMAGE, data=value)

        frames = self.received(write)
        self.assertEqual([values_of(frame.data) for frame in frames], [[one] for one in values])
        self.assertEqual(
            [type(frame.data[0].value) for frame in frames], [type(one) for one in values]
        )
        for frame in frames:
            self.assertEqual(frame.data[0].time, frame.time)
            self.assertEqual(frame.data[0].stream.codec, "json")

    def test_bytes_stay_bytes(self):
        values = [b"", b"\0\xff", bytearray(b"array"), memoryview(b"view"), bytes(1 << 20)]

        def write(out):
            for value in values:
                out.write(IMAGE, data=value)

        frames = self.received(write)
        self.assertEqual(
            [values_of(frame.data) for frame in frames], [[bytes(one)] for one in values]
        )
        self.assertEqual({frame.data[0].stream.codec for frame in frames}, {"bytes"})

    def test_messages_may_begin_and_change_their_kind_later(self):
        def write(out):
            for data in (None, {"at": 1}, None, b"two", [3], b"four", None):
                out.write(IMAGE, data)

        frames = self.received(write)
        self.assertEqual(
            [values_of(frame.data) for frame in frames],
            [[], [{"at": 1}], [], [b"two"], [[3]], [b"four"], []],
        )

    def test_messages_alone(self):
        def write(out):
            for number in range(20):
                self.assertTrue(out.write(data={"number": number}))

        frames = self.received(write)
        self.assertEqual(
            [values_of(frame.data) for frame in frames], [[{"number": at}] for at in range(20)]
        )
        totals = self._publishers[-1].totals
        self.assertEqual((totals.frames, totals.messages, totals.dropped), (0, 20, 0))

    def test_messages_between_frames(self):
        def write(out):
            out.write(IMAGE, 1)
            out.write(data=2)
            out.write(data=3)
            out.write(IMAGE)
            out.write(data="rest")

        first, second = self.received(write)
        self.assertEqual([values_of(first.data), values_of(second.data)], [[1], [2, 3]])
        self.assertEqual(values_of(self._viewers[-1].rest), ["rest"])

    def test_a_viewer_of_messages_alone(self):
        def write(out):
            for number in range(10):
                out.write(IMAGE, number)

        frames = self.received(write, data="only")
        self.assertEqual([values_of(frame.data) for frame in frames], [[at] for at in range(10)])

    def test_what_is_no_value(self):
        def write(out):
            deep, circle = [], []
            circle.append(circle)
            for _ in range(100_000):
                deep = [deep]
            for value in (
                math.nan, math.inf, [-math.inf], deep, circle, "x" * (1 << 20),
                bytes(1 + (1 << 20)),
            ):
                with self.assertRaises(ValueError):
                    out.write(IMAGE, data=value)
            for value in (set(), object(), 1j, {"a": {1}}, {(1, 2): 3}):
                with self.assertRaises(TypeError):
                    out.write(IMAGE, data=value)
            out.write(IMAGE, data={"class": np.int32(1), "box": np.array([1.5, 2])})

        (frame,) = self.received(write)
        self.assertEqual(values_of(frame.data), [{"class": 1, "box": [1.5, 2]}])

    def test_messages_of_dropped_frames_are_not_lost(self):
        image = np.zeros((2000, 2000), np.uint8)
        go_on, done, taken = threading.Event(), threading.Event(), []

        def script(peer, _):
            self.wait_for(go_on, "last write")
            taken.extend(take_all(peer))
            done.set()

        count = 50
        with self.publisher(port=self.scripted(script), late="drop") as out:
            for number in range(count):
                image[:] = number
                self.assertTrue(out.write(image, data=number))
            go_on.set()
        self.wait_for(done, "end")
        payloads = [each.payload for each in taken if each.stream == 1]
        self.assertEqual(payloads, [b"%d" % number for number in range(count)])
        frames = [each.payload[0] for each in taken if each.stream == 0 and each.kind == 3]
        self.assertEqual(frames[-2:], [count - 2, count - 1])
        self.assertEqual(out.totals.frames, len(frames))
        self.assertEqual(out.totals.dropped, count - len(frames))
        self.assertGreater(out.totals.dropped, 30)


class Times(PublishTestCase):
    def test_times_that_are_given(self):
        times = [0, 0.000001, 0.1, 0.25, 1 / 3, 1]

        def write(out):
            for time in times:
                out.write(IMAGE, "at", time)

        frames = self.received(write)
        for frame, time in zip(frames, times):
            self.assertAlmostEqual(frame.time - frames[0].time, time, delta=1.5e-6)
            self.assertEqual(frame.data[0].time, frame.time)
        self.assertEqual(len(frames), len(times))

    def test_times_of_the_clock_may_follow(self):
        def write(out):
            out.write(IMAGE, time=0.5)
            out.write(IMAGE)
            out.write(IMAGE)

        times = [frame.time for frame in self.received(write)]
        self.assertEqual(times, sorted(set(times)))
        self.assertEqual(len(times), 3)

    def test_times_that_do_not_increase(self):
        def write(out):
            out.write(IMAGE, time=1)
            for time in (1, 0.5, 0, 1.0000001, -1, -1e-9, math.nan, math.inf, 1e10):
                for image in (IMAGE, None):
                    with self.assertRaises(ValueError):
                        out.write(image, "data", time)
            with self.assertRaises(TypeError):
                out.write(IMAGE, time="1")
            self.assertTrue(out.write(IMAGE, time=1.1))

        self.assertEqual(len(self.received(write)), 2)

    def test_a_frame_knows_when_it_was_written(self):
        def write(out):
            for _ in range(5):
                out.write(IMAGE)

        for frame in self.received(write):
            self.assertLess(frame.latency, 30)

    def test_the_nominal_rate_is_described(self):
        def write(out):
            out.write(IMAGE)

        for fps, expected in ((30, 30), (29.97, 29.97), (0.5, 0.5), (30000 / 1001, 30000 / 1001)):
            (frame,) = self.received(write, {"fps": fps})
            self.assertAlmostEqual(float(frame.stream.frame_rate), expected, places=6)
        for fps in (0, -1, math.nan, math.inf, 1e-9):
            self.assertRaisesRegex(ValueError, "fps", self.publisher, fps=fps)


class Jpeg(PublishTestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = cls.site.make("one.jpg", *pictures("64x48"), "-frames:v", "1")
        cls.jpeg = cls.path.read_bytes()

    def send(self, *images, **options):
        def write(out):
            for image in images:
                self.assertTrue(out.write_jpeg(image, data="said"))

        frames = self.received(write, **options)
        self.assertEqual([values_of(frame.data) for frame in frames], [["said"]] * len(images))
        return frames

    def test_the_bytes_arrive_as_they_are(self):
        jpeg = self.jpeg
        forms = [jpeg, bytearray(jpeg), memoryview(jpeg), np.frombuffer(jpeg, np.uint8)]
        frames = self.send(*forms, encoding="copy")
        self.assertEqual([bytes(frame.bytes) for frame in frames], [jpeg] * len(forms))
        self.assertEqual({frame.stream.codec for frame in frames}, {"mjpeg"})
        self.assertEqual((frames[0].stream.width, frames[0].stream.height), (64, 48))

    def test_a_viewer_of_pixels_gets_them(self):
        def write(out):
            viewer = self._viewers[-1]
            while not viewer.wait(lambda frames: frames, "", 0.02):
                viewer.check()
                out.write_jpeg(self.jpeg)

        frames = self.received(write, pixel_format="bgr24")
        expected = decoded(self.path, "-pix_fmt", "bgr24")
        self.assertEqual(bytes(frames[0].bytes), expected)

    def test_headers_of_many_kinds(self):
        jpeg = self.jpeg
        thumbnail = b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x01\x00\x01" + bytes(20)
        exif = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
        at = jpeg.index(b"\xff\xc0")
        forms = [
            jpeg[:2] + exif + jpeg[2:], jpeg[:at] + b"\xff\xff\xff" + jpeg[at:],
            jpeg[:at] + b"\xff\xc2" + jpeg[at + 2:],  # progressive
        ]
        frames = self.send(*forms, encoding="copy")
        self.assertEqual([bytes(frame.bytes) for frame in frames], forms)
        self.assertEqual({(each.stream.width, each.stream.height) for each in frames}, {(64, 48)})

    def test_arrays_and_jpeg_in_turn(self):
        array = np.arange(64 * 48, dtype=np.uint16).reshape(48, 64)

        def write(out):
            out.write(array)
            out.write_jpeg(self.jpeg)
            out.write(array)

        first, second, third = self.received(write, encoding="copy")
        np.testing.assert_array_equal(first.image, array)
        self.assertEqual(bytes(second.bytes), self.jpeg)
        np.testing.assert_array_equal(third.image, array)

    def test_what_is_no_jpeg(self):
        jpeg = self.jpeg
        png = ffmpeg(*pictures(), "-frames:v", "1", "-c:v", "png", "-f", "image2pipe", "pipe:1")
        at = jpeg.index(b"\xff\xc0")
        out = self.publisher(late="drop")
        for value in (
            b"", b"\xff", b"\xff\xd8", jpeg[:2], jpeg[: at + 8], jpeg[1:], png, bytes(1000),
            b"\xff\xd8" + b"\xff" * 1000, jpeg[:4] + bytes(1000), memoryview(jpeg)[::2],
            jpeg[: at + 5] + b"\0\0" + jpeg[at + 7:], b"\xff\xd8\xff\xe0\0\0" * 50,
        ):
            with self.assertRaisesRegex(ValueError, "no JPEG"):
                out.write_jpeg(value)
        self.assertRaises(TypeError, out.write_jpeg, "text")
        self.assertRaises(TypeError, out.write_jpeg, None)
        self.assertRaises(TypeError, out.write_jpeg, 1000)
        wait_connected(out)
        self.assertEqual(out.totals.frames, 0)


class Totals(PublishTestCase):
    def test_totals_are_what_a_viewer_got(self):
        with self.publisher() as out:
            wait_connected(out)
            viewer = self.watch()
            self.assertTrue(out.wait_watched(PATIENCE))
            for number in range(60):
                out.write(np.full((20 * (number // 20) + 1, 7), number, np.uint8), [number])
        frames = viewer.all()
        messages = [message for frame in frames for message in frame.data]
        totals = out.totals
        self.assertEqual((totals.frames, totals.messages), (60, 60))
        self.assertEqual((len(frames), len(messages)), (60, 60))
        self.assertEqual(
            totals.bytes, sum(len(each.bytes) for each in [*frames, *messages])
        )
        self.assertEqual((totals.dropped, totals.reconnects), (0, 0))
        self.assertIn("frames=60", repr(totals))


if __name__ == "__main__":
    unittest.main()
