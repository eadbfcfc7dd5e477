"""What a stream yields: frames, with the audio and the data that came with them."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, Optional, Tuple

from ._color import to_bgr
from ._errors import invalid
from ._pixels import Layout, image_of, layout_of, load_numpy, planes_of
from ._protocol.description import StreamInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

PCM = {
    "pcm_u8": "|u1", "pcm_s16le": "<i2", "pcm_s16be": ">i2", "pcm_s32le": "<i4",
    "pcm_s32be": ">i4", "pcm_f32le": "<f4", "pcm_f32be": ">f4", "pcm_f64le": "<f8",
    "pcm_f64be": ">f8", "pcm_s8": "|i1",
}
"""Types of samples, as numpy spells them."""


class _Part:
    """What frames, audio and messages have in common."""

    __slots__ = ("stream", "bytes", "pts", "time", "capture_time")

    def __init__(
        self,
        stream: StreamInfo,
        payload: memoryview,
        pts: int,
        seconds: float,
        capture_time: Optional[float],
    ) -> None:
        self.stream = stream
        """The stream that it belongs to."""
        self.bytes = payload
        """The bytes as received, without a copy. It may be written to."""
        self.pts = pts
        """Presentation timestamp in ticks of ``stream.time_base``, as the server sent it."""
        self.time = seconds
        """Presentation time in seconds from the beginning of the media, or from ``start``; of a
        live source, from any zero, and it goes on after the connection was lost."""
        self.capture_time = capture_time
        """Of a live source, when it was captured: seconds since 1970 by this machine's clock;
        ``None`` until the server has told its own."""


    def __repr__(self) -> str:
        stream = self.stream
        what = f"{stream.type}, {stream.codec}, {self.time:.3f} s, {len(self.bytes)} bytes"
        return f"<{type(self).__name__}: {what}>"


class Audio(_Part):
    """A run of samples, or a packet of compressed audio."""

    __slots__ = ()

    @property
    def samples(self) -> "NDArray[Any]":
        """samples × channels, without a copy.

        Raises:
            ValueError: if it is no PCM
            ImportError: without numpy
        """
        dtype = PCM.get(self.stream.codec)
        if dtype is None:
            raise ValueError(
                f"Cannot give samples of {self.stream.codec}: expected PCM, ask for"
                ' encoding="raw", or decode audio.bytes'
            )
        channels = self.stream.channels or 1
        samples: "NDArray[Any]" = load_numpy().frombuffer(self.bytes, dtype)
        return samples.reshape(-1, channels)


class Message(_Part):
    """A message of a data stream, such as detections."""

    __slots__ = ()

    @property
    def value(self) -> Any:
        """What a JSON message says; of subtitles, a dict of ``start`` and ``end``, in seconds of
        the media, and ``text``; of other messages, the bytes.

        Raises:
            StreamError: ``protocol`` if it is no JSON
        """
        if self.stream.codec not in ("json", "subtitle"):
            return bytes(self.bytes)
        try:
            return json.loads(bytes(self.bytes).decode())
        except (ValueError, RecursionError) as error:
            raise invalid("a message is no JSON") from error


class Frame(_Part):
    """One image, or one packet of compressed video. It stays valid as long as it is referred to.

    If a source has no video, each run of audio or each message is a frame without an image.
    """

    __slots__ = ("keyframe", "dropped_before", "data", "audio", "_handed_over")

    def __init__(
        self,
        stream: StreamInfo,
        payload: memoryview,
        pts: int,
        seconds: float,
        capture_time: Optional[float],
        *,
        keyframe: bool,
        dropped_before: bool,
    ) -> None:
        super().__init__(stream, payload, pts, seconds, capture_time)
        self.keyframe = keyframe
        """It can be decoded by itself."""
        self.dropped_before = dropped_before
        """Frames are missing before it: the server dropped them, a newer one replaced them here
        (``latest=True``), or the source or the connection was interrupted."""
        self.data: Tuple[Message, ...] = ()
        """Messages up to its time that did not come with an earlier frame."""
        self.audio: Tuple[Audio, ...] = ()
        """Audio that arrived since the frame before; with ``audio=True``."""
        self._handed_over: Optional[float] = None

    @property
    def latency(self) -> Optional[float]:
        """Of a live source, seconds from capture until the frame was handed to the loop."""
        if self.capture_time is None or self._handed_over is None:
            return None
        return max(0.0, self._handed_over - self.capture_time)

    @property
    def image(self) -> "NDArray[Any]":
        """The frame as an array over the received memory, without a copy.

        - ``bgr24`` and the like: height × width × 3, uint8
        - ``gray``: height × width
        - ``gray16le``, ``grayf32le`` and the like: the same of uint16 or float32
        - planes of one size, such as ``yuv444p``: planes × height × width
        - ``yuv420p``, ``nv12`` and the like: rows × width, as OpenCV expects them

        It may be drawn on.

        Raises:
            ValueError: for packets, an unknown pixel format, or planes that fit no array
            ImportError: without numpy
        """
        return image_of(self.bytes, self._layout, *self._size)

    @property
    def planes(self) -> "Tuple[NDArray[Any], ...]":
        """The planes of the frame as arrays over the received memory. Raises as ``image`` does."""
        return planes_of(self.bytes, self._layout, *self._size)

    def to_bgr(self) -> "NDArray[Any]":
        """The frame as height × width × 3: blue, green, red. It is uint8; RGB and gray of uint16 and
        float32 keep their type.

        YUV is converted with OpenCV if it is installed, else with numpy; the matrix and the range
        are those that the stream states. A ``bgr24`` frame is not copied.

        Raises:
            ValueError: for packets, or a pixel format that is not converted here
            ImportError: without numpy
        """
        layout = self._layout
        return to_bgr(planes_of(self.bytes, layout, *self._size), self.stream)

    def hand_over(self) -> "Frame":
        """Notes that the loop has it now."""
        self._handed_over = time.time()
        return self

    @property
    def _size(self) -> Tuple[int, int]:
        return self.stream.width or 0, self.stream.height or 0

    @property
    def _layout(self) -> Layout:
        stream = self.stream
        if stream.type != "video":
            raise ValueError(f"Cannot give an image of {stream.type}: the source has no video")
        if stream.codec != "rawvideo":
            raise ValueError(
                f'Cannot give an image of {stream.codec}: expected encoding="raw", or decode'
                " frame.bytes"
            )
        layout = layout_of(stream.pixel_format or "")
        if layout is None:
            raise ValueError(
                f'Cannot give an image of pixel format "{stream.pixel_format}": ask for another,'
                ' such as pixel_format="bgr24", or use frame.bytes'
            )
        return layout


def raw_size(stream: StreamInfo) -> Optional[int]:
    """Bytes of each frame of a stream of raw video; ``None`` if they may differ."""
    layout = layout_of(stream.pixel_format or "") if stream.codec == "rawvideo" else None
    return layout and layout.size(stream.width or 0, stream.height or 0)


def sample_size(stream: StreamInfo) -> Optional[int]:
    """Bytes of a sample of PCM in all channels; ``None`` for other streams."""
    found = re.match(r"pcm_[suf](8|16|24|32|64)(?!\d)", stream.codec)
    if stream.type != "audio" or found is None:
        return None
    return int(found[1]) // 8 * (stream.channels or 1)
