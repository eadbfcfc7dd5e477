"""Arrays of frames: equal to ffmpeg's bytes, over the received memory, and never overwritten."""

import os
import unittest

from stream_client import Stream, get_image

from .peers import GREY, ScriptedServer, describe, end, frame
from .support import (
    HAS_NUMPY, HOST, StreamTestCase, decoded, decoded_as, ffmpeg, needs_numpy, open_site,
    package_without, pictures, pieces,
)

if HAS_NUMPY:
    import numpy

FFV1 = ["-c:v", "ffv1"]

SHAPES = {
    "bgr24": [(48, 64, 3)], "rgba": [(48, 64, 4)], "gray": [(48, 64)], "gray16le": [(48, 64)],
    "yuv420p": [(48, 64), (24, 32), (24, 32)], "yuv422p": [(48, 64), (48, 32), (48, 32)],
    "yuv444p": [(48, 64)] * 3, "gbrp": [(48, 64)] * 3, "nv12": [(48, 64), (24, 32, 2)],
    "yuv420p10le": [(48, 64), (24, 32), (24, 32)], "gbrp10le": [(48, 64)] * 3,
}
"""Shapes of the planes of 64 × 48 pixels."""

WHOLE = {
    "yuv420p": (72, 64), "yuv422p": (96, 64), "yuv444p": (3, 48, 64), "gbrp": (3, 48, 64),
    "nv12": (72, 64), "yuv420p10le": (72, 64), "gbrp10le": (3, 48, 64),
}
"""Shapes of the image of formats with several planes."""

DEEP = {"gray16le", "yuv420p10le", "gbrp10le"}


def setUpModule():
    StreamTestCase.site = open_site()


@needs_numpy
class PixelFormats(StreamTestCase):
    def setUp(self):
        super().setUp()
        self.path = self.site.make("short.mkv", *pictures(seconds=0.12), *FFV1, "-pix_fmt", "bgr0")

    def check(self, got, data, shapes):
        """Compares a frame and its planes with ffmpeg's bytes."""
        self.assertEqual(bytes(got.bytes), data)
        self.assertEqual([plane.shape for plane in got.planes], shapes)
        self.assertEqual(b"".join(plane.tobytes() for plane in got.planes), data)
        whole = numpy.frombuffer(got.bytes, numpy.uint8)
        for plane in got.planes:
            self.assertTrue(numpy.shares_memory(plane, whole))
            self.assertTrue(plane.flags.writeable)

    def check_image(self, got, name, data):
        """Compares the image of a frame of 64 × 48 pixels."""
        self.assertEqual(got.image.tobytes(), data)
        self.assertEqual(got.image.shape, WHOLE.get(name, SHAPES[name][0]))
        self.assertEqual(got.image.dtype, numpy.dtype("<u2" if name in DEEP else "u1"))
        self.assertTrue(numpy.shares_memory(got.image, got.planes[0]))
        self.assertTrue(got.image.flags.writeable)

    def test_every_format_is_laid_out_as_ffmpeg_has_it(self):
        for name, data in decoded_as(self.path, SHAPES).items():
            with self.subTest(name):
                frames = received(self, name, "64x48", pieces(data, 3))
                self.assertEqual(len(frames), 3)
                for got, expected in zip(frames, pieces(data, 3)):
                    self.check(got, expected, SHAPES[name])
                    self.check_image(got, name, expected)

    def test_the_server_gives_each_format_as_ffmpeg_does(self):
        for name, data in decoded_as(self.path, ("bgr24", "gray16le", "yuv420p", "nv12")).items():
            with self.subTest(name), self.open("short.mkv", pixel_format=name) as stream:
                frames = list(stream)
                self.assertEqual(len(frames), 3)
                for got, expected in zip(frames, pieces(data, 3)):
                    self.check(got, expected, SHAPES[name])
                    self.check_image(got, name, expected)

    def test_planes_of_odd_sizes_are_rounded_up(self):
        path = self.site.make(
            "odd.mkv", *pictures("65x49", seconds=0.12), *FFV1, "-pix_fmt", "yuv420p"
        )
        all_chroma = {
            "yuv420p": [(25, 33)] * 2, "nv12": [(25, 33, 2)], "yuv422p10le": [(49, 33)] * 2,
            "yuv410p": [(13, 17)] * 2, "yuv444p": [(49, 65)] * 2,
        }
        for name, data in decoded_as(path, all_chroma).items():
            with self.subTest(name):
                (first, *_) = received(self, name, "65x49", pieces(data, 3))
                self.check(first, pieces(data, 3)[0], [(49, 65), *all_chroma[name]])
                if name == "yuv444p":
                    self.assertEqual(first.image.shape, (3, 49, 65))
                    continue
                with self.assertRaisesRegex(ValueError, "planes.*65x49"):
                    first.image
        with self.open("odd.mkv") as stream:
            self.assertEqual(stream.streams[0].pixel_format, "yuv420p")
            got = b"".join(bytes(each.bytes) for each in stream)
        self.assertEqual(got, decoded(path))

    def test_image_shares_the_memory_and_can_be_drawn_on(self):
        (got,) = received(self, "bgr24", "64x48", [os.urandom(64 * 48 * 3)])
        got.image[2:5, 3:9] = (1, 2, 3)
        self.assertEqual(bytes(got.bytes[(2 * 64 + 3) * 3:][:6]), b"\1\2\3" * 2)
        got.bytes[0] = 255 - got.bytes[0]
        self.assertEqual(got.image[0, 0, 0], got.bytes[0])
        self.assertTrue(numpy.shares_memory(got.image, got.to_bgr()))

    def test_read_gives_images_as_a_capture_of_opencv(self):
        expected = [os.urandom(64 * 48 * 3) for _ in range(3)]
        with serve(self, "bgr24", "64x48", expected) as stream:
            self.assertEqual(stream.get_size(), (64, 48))
            images = []
            ok, image = stream.read()
            while ok:
                images.append(image.tobytes())
                ok, image = stream.read()
            self.assertEqual(images, expected)
            self.assertIsNone(image)
            self.assertEqual(stream.read(), (False, None))

    def test_get_image_gives_the_frame_that_is_shown_at_a_time(self):
        path = self.site.make("clip.mkv", *pictures(seconds=1), *FFV1, "-pix_fmt", "bgr0")
        expected = pieces(decoded(path, "-pix_fmt", "bgr24"), 25)
        for seconds, index in ((None, 0), (0.5, 12)):
            with self.subTest(seconds):
                got = get_image(
                    HOST, "clip.mkv", seconds, pixel_format="bgr24", port=self.site.port
                )
                self.assertEqual(got.image.tobytes(), expected[index])

    def test_packets_have_no_image(self):
        for codec in ("mjpeg", "h264"):
            (got,) = received(self, "yuvj420p", "64x48", [b"packet"], codec=codec)
            for use in (lambda: got.image, lambda: got.planes, got.to_bgr):
                with self.assertRaisesRegex(ValueError, f'{codec}.*expected encoding="raw"'):
                    use()

    def test_an_unknown_pixel_format_gives_bytes_only(self):
        data = os.urandom(100)
        (got,) = received(self, "uyvy422", "8x4", [data])
        self.assertEqual(bytes(got.bytes), data)
        for use in (lambda: got.image, lambda: got.planes, got.to_bgr):
            self.assertRaisesRegex(ValueError, 'pixel format "uyvy422"', use)

    def test_deep_yuv_and_bayer_formats_are_not_converted_to_bgr(self):
        for name, size in (("yuv420p10le", 96), ("gray10le", 64), ("bayer_rggb8", 32)):
            (got,) = received(self, name, "8x4", [bytes(size)])
            self.assertRaisesRegex(ValueError, 'pixel_format="bgr24"', got.to_bgr)


@needs_numpy
class Memory(StreamTestCase):
    def setUp(self):
        super().setUp()
        # Frames of 288,000 bytes: buffers of that size are used again.
        self.expected = [bytes([at, 255 - at, at // 2]) * (400 * 240) for at in range(100)]

    def send(self):
        """A stream of a hundred frames."""
        return serve(self, "bgr24", "400x240", self.expected)

    def test_frames_that_are_kept_never_change(self):
        uses = {
            "frame": lambda given: given,
            "image": lambda given: given.image,
            "bytes": lambda given: given.bytes,
            "part of the bytes": lambda given: given.bytes[-90_000:],
            "rows of the image": lambda given: given.image[100:200],
            "turned image": lambda given: given.image.T,
            "planes": lambda given: given.planes,
            "BGR": lambda given: given.to_bgr(),
        }
        with self.send() as stream:
            kept = []
            for index, each in enumerate(stream):
                name = list(uses)[index % len(uses)]
                kept.append((name, uses[name](each)))
                del each
        self.assertEqual(len(kept), 100)
        for (name, value), data in zip(kept, self.expected):
            image = numpy.frombuffer(data, numpy.uint8).reshape(240, 400, 3)
            expected = {
                "frame": lambda: bytes(value.bytes) == data,
                "image": lambda: numpy.array_equal(value, image),
                "bytes": lambda: bytes(value) == data,
                "part of the bytes": lambda: bytes(value) == data[-90_000:],
                "rows of the image": lambda: numpy.array_equal(value, image[100:200]),
                "turned image": lambda: numpy.array_equal(value, image.T),
                "planes": lambda: numpy.array_equal(value[0], image),
                "BGR": lambda: numpy.array_equal(value, image),
            }[name]
            self.assertTrue(expected(), name)

    def test_every_third_frame_is_kept_while_others_are_let_go(self):
        with self.send() as stream:
            kept = []
            for index, each in enumerate(stream):
                self.assertEqual(bytes(each.bytes), self.expected[index])
                if index % 3 == 0:
                    kept.append(each.image)
                del each
        self.assertEqual([image.tobytes() for image in kept], self.expected[::3])

    def test_frames_stay_valid_after_closing(self):
        stream = self.send()
        images = [next(stream).image for _ in range(3)]
        stream.close()
        del stream
        self.assertEqual([image.tobytes() for image in images], self.expected[:3])

    def test_frames_above_a_megabyte_are_whole(self):
        frames = [os.urandom(800 * 600 * 3) for _ in range(5)]
        got = received(self, "bgr24", "800x600", frames)
        self.assertEqual([each.image.tobytes() for each in got], frames)


@needs_numpy
class ToBgr(StreamTestCase):
    """Compares with ffmpeg's own conversion, without OpenCV; test_opencv.py has it."""

    def test_to_bgr_is_ffmpegs_within_two(self):
        with package_without("cv2") as package:
            check_to_bgr(self, package.Stream)

    def test_the_server_states_matrix_and_range(self):
        path = self.site.make(
            "bt709.mkv", *pictures(seconds=0.08), "-vf",
            "format=yuv420p,setparams=range=pc:colorspace=bt709", *FFV1,
            "-color_range", "pc", "-colorspace", "bt709",  # FFmpeg 7 and later ask for both
        )
        with package_without("cv2") as package:
            with package.Stream(HOST, "bt709.mkv", port=self.site.port) as stream:
                info = stream.streams[0]
                images = [each.to_bgr() for each in stream]
        self.assertEqual((info.color_space, info.color_range), ("bt709", "pc"))
        check_near(self, images, decoded(path, "-pix_fmt", "bgr24"))

    def test_packed_and_planar_rgb_are_exact(self):
        path = self.site.make("short.mkv", *pictures(seconds=0.12), *FFV1, "-pix_fmt", "bgr0")
        names = ("bgr24", "rgb24", "rgba", "bgra", "argb", "abgr", "rgb0", "0bgr", "gbrp")
        references = decoded_as(path, names)
        for name, data in references.items():
            with self.subTest(name):
                frames = received(self, name, "64x48", pieces(data, 3))
                self.assertEqual(
                    b"".join(each.to_bgr().tobytes() for each in frames), references["bgr24"]
                )

    def test_deep_rgb_and_gray_keep_their_type(self):
        bgr = numpy.frombuffer(os.urandom(4 * 8 * 3 * 2), "<u2").reshape(4, 8, 3)
        gray = numpy.arange(32, dtype="<f4").reshape(4, 8)
        rgba = numpy.dstack([bgr[:, :, ::-1], bgr[:, :, :1]])
        for name, data, expected in (
            ("bgr48le", bgr, bgr), ("rgb48le", bgr[:, :, ::-1], bgr), ("rgba64le", rgba, bgr),
            ("rgb48be", bgr[:, :, ::-1].astype(">u2"), bgr),
            ("gbrp16le", bgr[:, :, [1, 0, 2]].transpose(2, 0, 1), bgr),
            ("gray16le", bgr[:, :, 0], numpy.dstack([bgr[:, :, 0]] * 3)),
            ("grayf32le", gray, numpy.dstack([gray] * 3)),
        ):
            with self.subTest(name):
                (got,) = received(self, name, "8x4", [data.tobytes()])
                image = got.to_bgr()
                self.assertEqual(
                    (image.dtype.kind, image.itemsize), (expected.dtype.kind, expected.itemsize)
                )
                self.assertTrue(numpy.array_equal(image, expected))


def check_to_bgr(test, stream_class):
    """Compares conversions of each matrix, range and subsampling with ffmpeg's."""
    size = ["-s", "64x48"]
    for name in ("yuv420p", "yuv422p"):
        raw = ffmpeg(*pictures(seconds=0.08), "-pix_fmt", name, "-f", "rawvideo", "pipe:1")
        for matrix in ("smpte170m", "bt709"):
            for span in ("tv", "pc"):
                with test.subTest(name, matrix=matrix, range=span):
                    expected = ffmpeg(
                        "-f", "rawvideo", "-pix_fmt", name, *size, "-i", "pipe:0", "-vf",
                        f"setparams=range={span}:colorspace={matrix},format=bgr24",
                        "-f", "rawvideo", "pipe:1", given=raw,
                    )
                    frames = received(
                        test, name, "64x48", pieces(raw, 2), stream_class=stream_class,
                        colorSpace=matrix, colorRange=span,
                    )
                    check_near(test, [each.to_bgr() for each in frames], expected)


def serve(test, name, size, frames, *, stream_class=Stream, **fields):
    """A stream of raw frames that a scripted server sends."""
    width, height = map(int, size.split("x"))
    info = {**GREY, "width": width, "height": height, "pixelFormat": name, **fields}

    def script(peer, _):
        peer.send(describe(info))
        for index, payload in enumerate(frames):
            peer.send(frame(index, payload=payload))
        peer.send(end((0, len(frames), sum(map(len, frames)))))

    return stream_class(HOST, port=ScriptedServer(test, script).port)


def received(*args, **options):
    """All frames of :func:`serve`."""
    with serve(*args, **options) as stream:
        return list(stream)


def check_near(test, images, data):
    """Compares two images with ffmpeg's bytes."""
    test.assertEqual(len(images), 2)
    for image, expected in zip(images, pieces(data, 2)):
        test.assertEqual((image.shape, image.dtype), ((48, 64, 3), numpy.uint8))
        wanted = numpy.frombuffer(expected, numpy.uint8).reshape(48, 64, 3)
        test.assertGreater(int(wanted.max()) - int(wanted.min()), 200)  # colours that differ
        test.assertLessEqual(numpy.abs(image.astype(int) - wanted).max(), 2)


if __name__ == "__main__":
    unittest.main()
