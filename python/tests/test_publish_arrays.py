"""Arrays that are published: each one arrives bit for bit."""

import sys
import threading
import unittest

from .publishing import PublishTestCase
from .support import HAS_NUMPY, open_site

if not HAS_NUMPY:
    raise unittest.SkipTest("no numpy")

import numpy as np  # noqa: E402 - it may be missing

TYPES = (np.uint8, np.uint16, np.float32)

FORMATS = {
    (np.uint8, 1): "gray", (np.uint8, 3): "bgr24", (np.uint8, 4): "bgra",
    (np.uint16, 1): "gray16le", (np.uint16, 3): "bgr48le", (np.uint16, 4): "bgra64le",
    (np.float32, 1): "grayf32le", (np.float32, 3): "gbrpf32le", (np.float32, 4): "gbrapf32le",
}

chance = np.random.default_rng(7)


def setUpModule():
    PublishTestCase.site = open_site()


def noise(dtype, *shape):
    """An array with any values of its type."""
    if dtype == np.float32:
        return chance.random(shape, np.float32)
    return chance.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def array_of(frame):
    """The array of a frame, whose planes are put together."""
    if frame.stream.pixel_format.startswith("gbr"):
        return np.dstack([frame.to_bgr(), *frame.planes[3:]])
    return frame.image


class ArrayTestCase(PublishTestCase):
    def send(self, *images, publish=None, **options):
        """Publishes images at once; gives the frames of a viewer."""
        def write(out):
            for image in images:
                self.assertTrue(out.write(image))

        frames = self.received(write, publish, **options)
        self.assertEqual(len(frames), len(images))
        return frames

    def check(self, *images, expected=None, **options):
        """Checks that images arrive; gives the frames."""
        frames = self.send(*images, **options)
        for frame, image in zip(frames, images if expected is None else expected):
            np.testing.assert_array_equal(array_of(frame), image, f"{image.dtype} {image.shape}")
        return frames


class Arrays(ArrayTestCase):
    def test_each_type_and_number_of_channels(self):
        for dtype in TYPES:
            shapes = [(6, 10), (5, 7, 3), (5, 7, 4)]
            images = [noise(dtype, *shape) for shape in shapes]
            frames = self.check(*images)
            self.assertEqual(
                [frame.stream.pixel_format for frame in frames],
                [FORMATS[dtype, channels] for channels in (1, 3, 4)],
            )
            self.assertEqual([array_of(frame).dtype for frame in frames], [dtype] * 3)

    def test_one_channel_as_a_third_axis(self):
        images = [noise(dtype, 4, 9, 1) for dtype in TYPES]
        self.check(*images, expected=[image[:, :, 0] for image in images])

    def test_one_pixel(self):
        self.check(*[noise(np.uint8, 1, 1, channels) for channels in (3, 4)])

    def test_arrays_that_are_not_contiguous(self):
        for dtype in TYPES:
            base = noise(dtype, 12, 12, 4)
            self.check(
                base[:, :, 0], base[:, :, 1].T, np.broadcast_to(base[0, 0, 0], (12, 12)),
                base[:, :, :3], base[:, :, 2::-1], base[:, ::-1, :3],
                base[::-1], base.transpose(1, 0, 2), np.asfortranarray(base), base[::2, ::3],
            )

    def test_arrays_of_the_other_byte_order(self):
        for dtype in (">u2", ">f4"):
            images = [
                noise(np.dtype(dtype).newbyteorder("=").type, *shape).astype(dtype)
                for shape in ((6, 8), (6, 8, 3), (6, 8, 4))
            ]
            self.check(*images)

    def test_arrays_that_are_read_only_or_over_other_memory(self):
        image = noise(np.uint8, 6, 8, 3)
        image.flags.writeable = False
        over_bytes = np.frombuffer(bytes(range(48)), np.uint8).reshape(6, 8)
        shifted = np.frombuffer(bytes(range(97)), np.uint8, offset=1).view("<u2").reshape(6, 8)
        self.check(image, over_bytes, shifted)

    def test_floats_of_any_kind(self):
        odd = np.array(
            [[np.nan, np.inf, -np.inf, -0.0], [1e-45, 3.4e38, -1.5, 0.1]], np.float32
        )
        (frame,) = self.send(odd)
        self.assertEqual(bytes(frame.bytes), odd.tobytes())
        planes = np.dstack([odd, odd[::-1], odd[:, ::-1]])
        (frame,) = self.send(planes)
        self.assertEqual(array_of(frame).tobytes(), planes.tobytes())

    def test_large_arrays(self):
        self.check(noise(np.uint8, 1080, 1920, 3), noise(np.float32, 540, 960, 4))

    def test_what_is_no_image(self):
        out = self.publisher()
        image = noise(np.uint8, 4, 4)
        for value in (
            image.astype(np.int16), image.astype(np.float64), image.astype(bool),
            image.astype(np.uint32), image.astype(np.complex64), image.astype("S1"),
            np.empty((0, 4), np.uint8), np.empty((4, 0, 3), np.uint8), np.uint8([1, 2]),
            np.empty((4, 4, 2), np.uint8), np.empty((4, 4, 5), np.uint8),
            np.empty((4, 4, 3, 1), np.uint8), np.array(3, np.uint8),
            np.zeros((2, 2), [("a", "u1")]), np.array([[None]]),
        ):
            with self.assertRaisesRegex(ValueError, "expected uint8"):
                out.write(value)
        for value in (image.tolist(), image.tobytes(), 7, "image", memoryview(image)):
            with self.assertRaisesRegex(TypeError, "expected a numpy array"):
                out.write(value)
        self.assertEqual(out.totals.dropped, 0)


class PixelFormats(ArrayTestCase):
    def test_the_pixel_format_states_what_channels_are(self):
        for name, image in {
            "rgb24": noise(np.uint8, 6, 8, 3), "rgba": noise(np.uint8, 6, 8, 4),
            "0bgr": noise(np.uint8, 6, 8, 4), "bayer_rggb8": noise(np.uint8, 6, 8),
            "gray10le": noise(np.uint16, 6, 8) >> 6, "bayer_gbrg16be": noise(np.uint16, 6, 8),
            "gray16be": noise(np.uint16, 6, 8), "rgb48be": noise(np.uint16, 6, 8, 3),
            "gbrp": noise(np.uint8, 6, 8, 3), "grayf32be": noise(np.float32, 6, 8),
        }.items():
            with self.subTest(name):
                (frame,) = self.check(image, publish={"pixel_format": name})
                self.assertEqual(frame.stream.pixel_format, name)

    def test_a_viewer_may_ask_for_another(self):
        image = noise(np.uint8, 6, 8, 3)
        frames = self.received(
            lambda out: self.feed(out, image, lambda frames: frames),
            {"pixel_format": "rgb24"}, pixel_format="bgr24",
        )
        np.testing.assert_array_equal(frames[0].image, image[:, :, ::-1])

    def test_pixel_formats_that_do_not_fit(self):
        for name, image in {
            "rgb24": noise(np.uint8, 4, 4), "bgr24": noise(np.uint8, 4, 4, 4),
            "gray": noise(np.uint16, 4, 4), "gray16le": noise(np.uint8, 4, 4),
            "bayer_rggb8": noise(np.uint8, 4, 4, 3), "grayf32le": noise(np.uint16, 4, 4),
            "ya8": noise(np.uint8, 4, 4, 3),
        }.items():
            out = self.publisher(name, pixel_format=name)
            self.assertRaisesRegex(ValueError, f'as "{name}"', out.write, image)
        for name in ("", "bgr", "no such", "yuv420p", "nv12"):
            self.assertRaisesRegex(ValueError, "interleaved", self.publisher, pixel_format=name)


class Changes(ArrayTestCase):
    def test_size_and_type_may_change(self):
        images = [
            noise(np.uint8, 4, 6, 3), noise(np.uint8, 4, 6, 3), noise(np.uint8, 6, 4, 3),
            noise(np.uint16, 6, 4), noise(np.float32, 2, 2, 4), noise(np.uint8, 4, 6, 3),
        ]
        frames = self.check(*images)
        self.assertEqual(
            [(each.stream.width, each.stream.height) for each in frames],
            [(6, 4), (6, 4), (4, 6), (4, 6), (2, 2), (6, 4)],
        )
        times = [each.time for each in frames]
        self.assertEqual(times, sorted(set(times)))

    def test_a_viewer_that_asked_for_a_size_sees_no_change(self):
        red, blue = (np.full((8, 8, 3), color, np.uint8) for color in ((0, 0, 255), (255, 0, 0)))

        def write(out):
            self.feed(out, red, lambda frames: frames)
            self.feed(out, blue[:4], lambda frames: frames[-1].image[0, 0, 0] > 200)

        frames = self.received(write, pixel_format="bgr24", size=(16, 16))
        self.assertEqual({each.image.shape for each in frames}, {(16, 16, 3)})
        self.assertGreater(frames[0].image[0, 0, 2], 200)


class Memory(ArrayTestCase):
    """An array is the program's own again when ``write`` returns."""

    ROUNDS = 200

    def check_uniform(self, frames):
        """Checks that no frame is made of two; gives their values."""
        for frame in frames:
            self.assertEqual(frame.image.min(), frame.image.max(), "a torn frame")
        return [int(frame.image.flat[0]) for frame in frames]

    def test_an_array_may_be_overwritten_at_once(self):
        for late in ("drop", "wait"):
            for shape in ((320, 320, 3), (40, 40)):
                image = np.empty(shape, np.uint8)

                def write(out, image=image):
                    for number in range(1, self.ROUNDS):
                        image[:] = number
                        out.write(image)
                        image[:] = 0
                        self.keep_up(out)

                values = self.check_uniform(self.received(write, {"late": late}))
                self.assertEqual(values, sorted(set(values)))
                self.assertEqual(values[-1], self.ROUNDS - 1)
                if late == "wait":
                    self.assertEqual(len(values), self.ROUNDS - 1)

    def test_several_threads_may_write(self):
        count, writers = 40, 5
        interval = sys.getswitchinterval()
        self.addCleanup(sys.setswitchinterval, interval)

        def write(out):
            def run(first):
                image = np.empty((400, 700), np.uint8)
                for number in range(first, first + count):
                    image[:] = number
                    out.write(image, data=number)
                    self.keep_up(out)

            threads = [
                threading.Thread(target=run, args=(count * at,)) for at in range(writers)
            ]
            sys.setswitchinterval(1e-6)
            for thread in threads:
                thread.start()
            for thread in threads:
                self.join(thread)
            sys.setswitchinterval(interval)

        frames = self.received(write)
        values = self.check_uniform(frames)
        self.assertEqual(sorted(values), list(range(count * writers)))
        for first in range(0, count * writers, count):
            own = [value for value in values if first <= value < first + count]
            self.assertEqual(own, sorted(own))
        times = [each.time for each in frames]
        self.assertEqual(times, sorted(set(times)))
        self.assertEqual([[each.value for each in one.data] for one in frames],
                         [[value] for value in values])


if __name__ == "__main__":
    unittest.main()
