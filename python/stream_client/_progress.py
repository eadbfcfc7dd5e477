"""How far a response has come, and how another connection continues it."""

from __future__ import annotations

import time
from typing import Any, Dict, NamedTuple, Optional, Set, Tuple

from ._errors import StreamError, invalid
from ._frame import sample_size
from ._protocol import wire
from ._protocol.connection import Received
from ._protocol.description import Description, StreamInfo

MIN_DURATION = 0.001
"""Seconds of the shortest part that can be requested."""

MAX_LAG = 1.0
"""Seconds by which one stream of a file arrives after another, at most: four times what the protocol
says, because each begins with what it has after a seek."""

MARGIN = 0.001
"""Seconds by which a repeated seek goes too far back, so that rounding loses no sample."""


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
    """Seconds from the beginning of the file."""
    number: int
    is_answered: bool


class Progress:
    """Continues

    - a file with the frame after the last one of each stream,
    - a file after a seek with another seek, to where the slowest stream is,
    - a live source with the newest frame, on one timeline.
    """

    def __init__(self, request: Dict[str, Any]) -> None:
        self._request = request
        self._points: Dict[int, Point] = {}
        self._skipped: Dict[int, Point] = {}
        """What was received before the connection was lost, and comes again after a seek."""
        self._texts: Set[bytes] = set()
        """Texts of a file with the last timestamp, which come again when they are resumed."""
        self._seek: Optional[Seek] = None
        self.description: Optional[Description] = None
        self._shift: Optional[float] = 0.0
        """Seconds to add; ``None`` between a cut and the first frame after it."""
        self._first: Optional[float] = None
        """Time of the first frame of a live source in seconds."""
        self._latest = (0.0, 0.0)
        """Time of the latest frame in seconds, and when it arrived."""

    @property
    def is_live(self) -> bool:
        """Whether the source has no end of its own."""
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

    def next_request(self) -> Optional[Dict[str, Any]]:
        """The request for what was not received yet; ``None`` if nothing is left of it."""
        request = dict(self._request)
        if self.description is not None and self.description.name:
            request["name"] = self.description.name
        duration = request.get("duration")
        if self.is_live and duration is not None and self._first is not None:
            latest, arrived = self._latest
            duration -= latest + time.monotonic() - arrived - self._first
            if duration < MIN_DURATION:
                return None
            request["duration"] = duration
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
            start = self._request.get("start") or 0
            if self._request.get("loop"):
                to = start + self._in_round(self._latest[0])
            else:
                to = max(to, start + self._reached(to - start) - MARGIN)
                self._skipped = dict(self._points)
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
        # Without a frame so far, the times begin with those of this connection.
        if not is_further and self._first is not None:
            self._shift = None

    def take(self, frame: Received, stream: StreamInfo) -> Optional[Tuple[Received, float]]:
        """Records a frame.

        Returns:
            the part of it that was not received before, and its time in seconds; ``None`` if there
            is no such part
        """
        skipped = self._skipped.get(frame.stream)
        if skipped is not None:
            rest = _after(skipped, frame, stream)
            if rest is None:
                return None
            frame = rest
            self._skipped.pop(frame.stream, None)
        before = self._points.get(frame.stream)
        if stream.type == "data" and not self.is_live:
            if before is None or before.pts != frame.timestamp:
                self._texts.clear()
            text = bytes(frame.payload)
            if text in self._texts:
                return None
            self._texts.add(text)
        breaks = before.breaks if before is not None else 0
        self._points[frame.stream] = Point(
            frame.timestamp,
            _end_of(frame, stream),
            breaks + (1 if frame.flags & wire.DISCONTINUITY else 0),
        )
        seconds = float(frame.timestamp * stream.time_base)
        description = self.description
        leading = "data" if description is None else description.leading
        if not self.is_live:
            if stream.type == leading:
                self._latest = (seconds, 0.0)
            return frame, seconds
        latest, arrived = self._latest
        now = time.monotonic()
        is_leading = stream.type != "data" or leading == "data"
        if self._shift is None:
            if not is_leading:
                return frame, latest + now - arrived
            # The timestamps of another connection may be unrelated to those before.
            self._shift = latest + now - arrived - seconds
        seconds += self._shift
        if is_leading:
            if self._first is None:
                self._first = seconds
            self._latest = (max(latest, seconds), now)
        return frame, seconds

    def on_seek(self, to: float) -> None:
        """Records a seek."""
        self._seek = Seek(to, self.seek_number + 1, False)
        self._skipped = {}

    def on_seek_reply(self, number: object) -> bool:
        """Records the server's reply to a seek; false if it is not the first one to the latest."""
        seek = self._seek
        if seek is None or seek.number != number or seek.is_answered:
            return False
        self._seek = seek._replace(is_answered=True)
        self._points.clear()
        self._latest = (seek.to - (self._request.get("start") or 0), 0.0)
        return True

    def _reached(self, begin: float) -> float:
        """Seconds up to which every stream has arrived since a seek to ``begin``."""
        streams = () if self.description is None else self.description.streams
        ends = [begin]
        for stream in streams:
            point = self._points.get(stream.id)
            if point is not None:
                ticks = point.pts if point.next is None else point.next
                ends.append(float(ticks * stream.time_base))
        if len(ends) > len(streams):
            del ends[0]
        # One that is far behind has ended, or has nothing there.
        return max(min(ends), max(ends) - MAX_LAG)

    def _in_round(self, position: float) -> float:
        """The position in its round of a loop, in seconds."""
        length: Optional[float] = self._request.get("duration")
        if self.description is not None and self.description.duration is not None:
            rest = self.description.duration - (self._request.get("start") or 0)
            length = rest if length is None else min(rest, length)
        return max(0.0, position % length if length is not None and length > 0 else position)


def _after(last: Point, frame: Received, stream: StreamInfo) -> Optional[Received]:
    """The part of a frame that follows another one of its stream."""
    if last.next is not None:
        known = last.next - frame.timestamp
        end = _end_of(frame, stream)
        if known <= 0 or end is None:
            return frame
        if end <= last.next:
            return None
        rest = frame.payload[known * (sample_size(stream) or 1):]
        return frame._replace(payload=rest, timestamp=last.next)
    # Packets of video may depend on those before, and come in another order than their times'.
    is_independent = stream.type != "video" or stream.codec in ("rawvideo", "mjpeg")
    # Several texts may have one timestamp.
    known = last.pts - 1 if stream.type == "data" else last.pts
    return None if is_independent and frame.timestamp <= known else frame


def _end_of(frame: Received, stream: StreamInfo) -> Optional[int]:
    """Timestamp after the last sample of PCM, if a tick is a sample."""
    size = sample_size(stream)
    if size is None or stream.time_base * (stream.sample_rate or 0) != 1:
        return None
    return frame.timestamp + len(frame.payload) // size
