"""How far a response has come, and how another connection continues it."""

from __future__ import annotations

import re
import time
from typing import Any, Dict, NamedTuple, Optional

from . import _wire as wire
from ._connection import Message
from ._description import Description, StreamInfo
from ._errors import StreamError, invalid

PCM = re.compile(r"pcm_[suf](\d+)")


class Point(NamedTuple):
    """The last frame of a stream."""

    pts: int
    next: Optional[int]
    """Of PCM, the timestamp after its last sample."""
    breaks: int
    """Frames with a discontinuity so far."""


class Seek(NamedTuple):
    """The latest seek."""

    to: float
    number: int
    is_answered: bool


class Progress:
    """Continues

    - a file with the frame after the last one of each stream,
    - a file after a seek with another seek to the last frame,
    - a live source with the newest frame, on one timeline.
    """

    def __init__(self, request: Dict[str, Any]) -> None:
        self._request = request
        self._points: Dict[int, Point] = {}
        self._skipped: Dict[int, int] = {}
        """Timestamps up to which frames were received before the cut, after a seek."""
        self._seek: Optional[Seek] = None
        self.description: Optional[Description] = None
        self._shift: Optional[float] = 0.0
        self._latest = (0.0, 0.0)
        """Time of the latest frame in seconds, and when it arrived."""

    @property
    def is_live(self) -> bool:
        return self.description is not None and self.description.live

    @property
    def is_resumable(self) -> bool:
        """Another connection can continue the response."""
        description = self.description
        return description is None or description.live or description.etag is not None

    @property
    def seek_number(self) -> int:
        """Number of the latest seek; 0 before the first."""
        return 0 if self._seek is None else self._seek.number

    @property
    def position(self) -> float:
        """Seconds on the timeline of the response."""
        return self._latest[0]

    def next_request(self) -> Dict[str, Any]:
        """The request for what was not received yet."""
        request = dict(self._request)
        if self.description is not None and self.description.name:
            request["name"] = self.description.name
        if self._points and not self.is_live and self._seek is None:
            request["resume"] = [
                {
                    "id": stream, "after": point.pts, "breaks": point.breaks,
                    **({} if point.next is None else {"next": point.next}),
                }
                for stream, point in self._points.items()
            ]
        return request

    def next_seek(self) -> Optional[Dict[str, Any]]:
        """The control that has to follow :meth:`next_request`, if any."""
        seek = self._seek
        if seek is None or self.is_live:
            return None
        to = seek.to
        if seek.is_answered:
            to = max(0.0, (self._request.get("start") or 0) + self.position)
            self._skipped = {stream: point.pts for stream, point in self._points.items()}
        return {"action": "seek", "to": to, "id": seek.number}

    def describe(self, description: Description, is_further: bool) -> None:
        """Takes a description; ``is_further`` if the same connection has sent one before.

        Raises:
            StreamError: if it cannot continue the earlier one
        """
        before = self.description
        if before is not None and not description.live:
            if is_further:
                raise invalid("a second description of a file")
            if before.live or before.etag != description.etag:
                raise StreamError(
                    "the file was replaced meanwhile: it is not the one that the response began"
                    " with, ask for it anew", "changed",
                )
            if before.streams != description.streams:
                raise StreamError(
                    "the server sends other streams than before, ask for the file anew", "changed"
                )
        self.description = description
        if before is not None and not is_further:
            self._shift = None

    def take(self, message: Message, stream: StreamInfo) -> Optional[float]:
        """Records a frame.

        Returns:
            its time in seconds; ``None`` for one that was received before
        """
        skipped = self._skipped.get(message.stream)
        if skipped is not None:
            if message.timestamp <= skipped:
                return None
            del self._skipped[message.stream]
        before = self._points.get(message.stream)
        breaks = before.breaks if before is not None else 0
        self._points[message.stream] = Point(
            message.timestamp,
            _end_of(message, stream),
            breaks + (1 if message.flags & wire.DISCONTINUITY else 0),
        )
        seconds = float(message.timestamp * stream.time_base)
        if not self.is_live:
            if stream.type == "video" or self._has_no_video:
                self._latest = (seconds, 0.0)
            return seconds
        latest, arrived = self._latest
        now = time.monotonic()
        if self._shift is None:
            if stream.type == "data" and not self._is_data:
                return latest + now - arrived
            # The timestamps of another connection may be unrelated to those before.
            self._shift = latest + now - arrived - seconds if arrived else 0.0
        seconds += self._shift
        if stream.type != "data" or self._is_data:
            self._latest = (max(latest, seconds), now)
        return seconds

    def on_seek(self, to: float) -> int:
        """Records a seek, and gives its number."""
        number = self.seek_number + 1
        self._seek = Seek(to, number, False)
        self._skipped = {}
        return number

    def on_seek_reply(self, number: object) -> None:
        """Records the server's reply to a seek."""
        seek = self._seek
        if seek is not None and seek.number == number:
            self._seek = seek._replace(is_answered=True)

    @property
    def _has_no_video(self) -> bool:
        return self.description is not None and self.description.first("video") is None

    @property
    def _is_data(self) -> bool:
        streams = self.description.streams if self.description is not None else ()
        return all(stream.type == "data" for stream in streams)


def _end_of(message: Message, stream: StreamInfo) -> Optional[int]:
    found = PCM.match(stream.codec)
    if stream.type != "audio" or found is None:
        return None
    sample = int(found[1]) // 8 * (stream.channels or 1)
    samples = len(message.payload) // sample
    # A tick is a sample in all that is sent raw; else the server counts from the frame's own.
    return message.timestamp + samples if stream.time_base * (stream.sample_rate or 1) == 1 else None
