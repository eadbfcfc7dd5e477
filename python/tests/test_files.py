"""What is asked of a file: its part, its speed, its size, its encoding; without numpy."""

import unittest
from fractions import Fraction

from stream_client import get_image, list_media

from .support import (
    HOST, StreamTestCase, decoded, ffmpeg, open_site, pictures, pieces, samples_of, tone,
)

FRAMES = 50


def setUpModule():
    site = StreamTestCase.site = open_site()
    site.make(
        "clip.mp4", *pictures(seconds=2), *tone(seconds=2), "-c:v", "libx264", "-preset",
        "veryfast", "-bf", "2", "-g", "20", "-pix_fmt", "yuv420p", "-c:a", "aac",
    )
    site.make("still.png", *pictures(), "-frames:v", "1")
    site.make("sound.mka", *tone(seconds=1), "-c:a", "flac")
    site.make("sound.wav", *tone(seconds=1))  # Matroska has times in milliseconds only


class Files(StreamTestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = cls.site.path / "clip.mp4"
        cls.expected = pieces(decoded(cls.path, "-pix_fmt", "gray"), FRAMES)

    def received(self, **options):
        """The frames of the clip."""
        with self.open("clip.mp4", **{"pixel_format": "gray", **options}) as stream:
            return [(round(each.time * 25), bytes(each.bytes)) for each in stream]

    def numbered(self, *numbers):
        """The frames of ffmpeg with these numbers."""
        return [(number, self.expected[number]) for number in numbers]

    def test_every_frame_arrives_once_with_its_time(self):
        with self.open("clip.mp4", pixel_format="gray") as stream:
            self.assertEqual((stream.name, stream.live, stream.fps), ("clip.mp4", False, 25.0))
            self.assertEqual(stream.get_size(), (64, 48))
            self.assertAlmostEqual(stream.duration, 2, 1)
            frames = list(stream)
            self.assertEqual(stream.dropped, 0)
            self.assertEqual(list(stream), [])
        self.assertEqual([bytes(each.bytes) for each in frames], self.expected)
        for number, each in enumerate(frames):
            self.assertEqual(each.pts * each.stream.time_base, Fraction(number, 25))
            self.assertEqual(each.time, number / 25)
            self.assertTrue(each.keyframe)
            self.assertFalse(each.dropped_before)
            self.assertEqual((each.data, each.audio), ((), ()))
            self.assertIsNone(each.capture_time)
            self.assertIsNone(each.latency)

    def test_an_audio_track_and_subtitles_are_chosen(self):
        text = self.site.path / "text.txt"
        text.write_text("1\n00:00:00,100 --> 00:00:00,300\nGood morning\n")
        self.site.make(
            "tracks.mkv", *pictures(seconds=0.4), *tone(seconds=0.4), *tone(seconds=0.4),
            "-f", "srt", "-i", str(text), "-map", "0", "-map", "1", "-map", "2", "-map", "3",
            "-c:v", "ffv1", "-c:a", "flac", "-c:s", "srt", "-ac:a:1", "1",
            "-metadata:s:a:1", "language=deu",
        )
        with self.open("tracks.mkv", audio_track="deu", subtitles=True) as stream:
            frames = list(stream)
            audio = next(each for each in stream.streams if each.type == "audio")
        self.assertEqual(audio.channels, 1)
        messages = [(each.time, message.value) for each in frames for message in each.data]
        self.assertEqual(
            messages, [(0.12, {"start": 0.1, "end": 0.3, "text": "Good morning"})],
        )

    def test_start_and_duration_give_a_part(self):
        got = self.received(start=0.4, duration=0.2)
        self.assertEqual([data for _, data in got], self.expected[10:15])
        self.assertEqual([number for number, _ in got], [0, 1, 2, 3, 4])

    def test_a_start_past_the_end_is_refused(self):
        self.refused("bad_request", self.open, "clip.mp4", start=100)

    def test_real_time_gives_the_same_frames(self):
        self.assertEqual(self.received(speed=50), self.numbered(*range(FRAMES)))

    def test_size_and_rate_are_converted(self):
        with self.open("clip.mp4", pixel_format="gray", size=(32, None), fps=5) as stream:
            self.assertEqual((stream.get_size(), stream.fps), ((32, 24), 5.0))
            frames = list(stream)
        self.assertEqual([round(each.time * 5) for each in frames], list(range(10)))
        self.assertEqual({len(each.bytes) for each in frames}, {32 * 24})
        with self.open("clip.mp4", pixel_format="gray", size=(20, 30)) as stream:
            self.assertEqual(len(next(stream).bytes), 600)

    def test_a_loop_goes_on_with_the_time(self):
        got = []
        with self.open("clip.mp4", pixel_format="gray", loop=True, duration=0.2) as stream:
            for each in stream:
                got.append((round(each.time * 25), bytes(each.bytes)))
                if len(got) == 13:
                    break
        self.assertEqual(got, [(number, self.expected[number % 5]) for number in range(13)])

    def test_quality_changes_the_size_of_images(self):
        def size(quality):
            with self.open("clip.mp4", encoding="mjpeg", quality=quality, duration=0.2) as stream:
                frames = [bytes(each.bytes) for each in stream]
            self.assertEqual(len(frames), 5)
            joined = ffmpeg("-f", "mjpeg", "-i", "pipe:0", "-f", "framemd5", "pipe:1",
                            given=b"".join(frames))
            self.assertEqual(len(sums(joined)), 5)
            return sum(map(len, frames))

        self.assertLess(size(20), size(95))

    def test_packets_decode_to_every_frame(self):
        for encoding in ("copy", "h264"):
            with self.subTest(encoding), self.open("clip.mp4", encoding=encoding) as stream:
                frames = list(stream)
                info = stream.streams[0]
                self.assertEqual(info.codec, "h264")
                self.assertEqual(len(frames), FRAMES)
                self.assertTrue(frames[0].keyframe)
                self.assertFalse(all(each.keyframe for each in frames))
                joined = annex_b(info.extradata, [bytes(each.bytes) for each in frames])
                shown = ffmpeg("-f", "h264", "-i", "pipe:0", "-f", "framemd5", "pipe:1",
                               given=joined)
                self.assertEqual(len(sums(shown)), FRAMES)

    def test_arguments_that_contradict_are_refused_before_a_connection(self):
        nobody = {"port": 1}
        for options in (
            {"latest": True, "encoding": "copy"}, {"latest": True, "encoding": "h264"},
            {"data": "some"}, {"retries": -1}, {"port": 0}, {"port": 65536},
            {"fingerprint": "sha256:12"},
        ):
            with self.subTest(options), self.assertRaises(ValueError):
                self.open("clip.mp4", **{**nobody, **options})

    def test_an_image_is_a_stream_of_one_frame(self):
        expected = decoded(self.site.path / "still.png", "-pix_fmt", "gray")
        for options in ({}, {"latest": True}):
            with self.open("still.png", pixel_format="gray", **options) as stream:
                self.assertEqual([bytes(each.bytes) for each in stream], [expected])

    def test_get_image_gives_bytes(self):
        still = get_image(HOST, "still.png", pixel_format="gray", port=self.site.port)
        self.assertEqual(
            bytes(still.bytes), decoded(self.site.path / "still.png", "-pix_fmt", "gray")
        )
        shown = get_image(HOST, "clip.mp4", 1.01, pixel_format="gray", port=self.site.port)
        self.assertEqual(bytes(shown.bytes), self.expected[25])
        jpeg = get_image(HOST, "clip.mp4", encoding="mjpeg", quality=50, port=self.site.port)
        self.assertEqual((jpeg.stream.codec, bytes(jpeg.bytes[:2])), ("mjpeg", b"\xff\xd8"))

    def test_list_media_gives_the_folder(self):
        entries = {entry.name: entry for entry in list_media(HOST, port=self.site.port)}
        clip, still = entries["clip.mp4"], entries["still.png"]
        sound = next(entry for entry in entries.values() if entry.kind == "audio")
        self.assertEqual(
            (clip.name, clip.kind, clip.live, clip.width, clip.height, clip.codec),
            ("clip.mp4", "video", False, 64, 48, "h264+aac"),
        )
        self.assertEqual(clip.size, self.path.stat().st_size)
        self.assertAlmostEqual(clip.duration, 2, 1)
        self.assertEqual((still.name, still.kind, still.duration), ("still.png", "image", None))
        self.assertEqual((sound.kind, sound.width, sound.published), ("audio", None, False))


class Sound(StreamTestCase):
    def test_audio_comes_with_frames_and_the_rest_after_them(self):
        with self.open("clip.mp4", pixel_format="gray", audio=True) as stream:
            frames = list(stream)
            parts = [part for each in frames for part in each.audio]
            self.assertTrue(parts)
            parts += stream.rest
        self.assertEqual([bytes(each.bytes) for each in frames], pieces(
            decoded(self.site.path / "clip.mp4", "-pix_fmt", "gray"), FRAMES
        ))
        info = parts[0].stream
        self.assertEqual((info.type, info.channels), ("audio", 2))
        whole = samples_of(self.site.path / "clip.mp4", info.codec[len("pcm_"):])
        self.assertEqual(b"".join(bytes(part.bytes) for part in parts), whole)
        size = 8 if "32" in info.codec else 4  # of a sample of both channels
        position = parts[0].pts
        for part in parts:
            self.assertEqual(part.pts, position)
            position += len(part.bytes) // size

    def test_a_file_of_sound_has_audio_as_frames(self):
        with self.open("sound.mka", audio=True) as stream:
            frames = list(stream)
            self.assertEqual(stream.rest, [])
            self.assertRaises(ValueError, stream.get_size)
            self.assertIsNone(stream.fps)
        codec = frames[0].stream.codec
        self.assertEqual(
            b"".join(bytes(each.bytes) for each in frames),
            samples_of(self.site.path / "sound.mka", codec[4:]),
        )
        self.assertEqual(
            b"".join(bytes(part.bytes) for each in frames for part in each.audio),
            b"".join(bytes(each.bytes) for each in frames),
        )
        with self.assertRaisesRegex(ValueError, "no video"):
            frames[0].image

    def test_a_part_is_cut_at_the_exact_sample(self):
        with self.open("sound.wav", audio=True, start=0.25, duration=0.125) as stream:
            data = b"".join(bytes(each.bytes) for each in stream)
            info = stream.streams[0]
        whole = samples_of(self.site.path / "sound.wav", info.codec[4:])
        size = len(whole) // 48000
        self.assertEqual(data, whole[12000 * size:18000 * size])


def sums(framemd5):
    """The lines of frames."""
    return [line for line in framemd5.decode().splitlines() if not line.startswith("#")]


def annex_b(extradata, packets):
    """Packets of H.264 with start codes (ISO/IEC 14496-15, 5.2.4.1)."""
    if extradata[:1] != b"\1":
        return extradata + b"".join(packets)
    start = b"\0\0\0\1"
    parts, at = [], 6
    for count in (extradata[5] & 31, None):
        if count is None:
            count, at = extradata[at], at + 1
        for _ in range(count):
            size = int.from_bytes(extradata[at:at + 2], "big")
            parts.append(start + extradata[at + 2:at + 2 + size])
            at += 2 + size
    length = (extradata[4] & 3) + 1
    for packet in packets:
        at = 0
        while at < len(packet):
            size = int.from_bytes(packet[at:at + length], "big")
            parts.append(start + packet[at + length:at + length + size])
            at += length + size
    return b"".join(parts)


if __name__ == "__main__":
    unittest.main()
