"""What is to be published and not yet sent."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Deque, List, NamedTuple, Optional, Tuple

from ._wire import Bytes

MAX_FRAMES = 2
"""Frames that wait to be sent."""

MAX_MESSAGES = 1000
"""Messages of dropped frames that wait to be sent; of more, the oldest are dropped."""

POLL = 1.0
"""Seconds after which a wait looks whether it is still wanted, and for Ctrl-C on Windows."""


class VideoFormat(NamedTuple):
    """What the server has to know of a frame."""

    codec: str
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    pixel_format: Optional[str]


class Note(NamedTuple):
    """A message of a data stream."""

    codec: str
    """``json`` or ``bytes``."""
    payload: bytes
    pts: int
    captured: int


class Item:
    """A frame with its messages, or messages alone."""

    def __init__(
        self, video: Optional[VideoFormat], payload: Bytes, pts: int, captured: int,
        notes: List[Note],
    ) -> None:
        self.video = video
        self.payload = payload
        self.pts = pts
        """Microseconds of the publisher's timeline."""
        self.captured = captured
        """Microseconds since 1970."""
        self.notes = notes


class Outbox:
    """Holds two frames. Another one takes the place of the oldest, or waits for room."""

    def __init__(self) -> None:
        self.dropped = 0
        """Frames that were not sent."""
        self._items: Deque[Item] = deque()
        self._changed = threading.Condition()
        self._is_closed = False

    def put(self, item: Item, patience: Optional[float]) -> bool:
        """Adds a frame.

        Args:
            patience: seconds to wait for room; ``None`` for no end; 0 to drop the oldest

        Returns:
            False if there was no room
        """
        end = None if patience is None else time.monotonic() + patience
        with self._changed:
            while patience != 0 and len(self._items) >= MAX_FRAMES and not self._is_closed:
                left = POLL if end is None else min(POLL, end - time.monotonic())
                if left <= 0:
                    self.dropped += item.video is not None
                    return False
                self._changed.wait(left)
            if len(self._items) >= MAX_FRAMES:
                self._drop_oldest(item)
            self._items.append(item)
            self._changed.notify_all()
        return True

    def take(self) -> Optional[Item]:
        """Waits for a frame; ``None`` if there is none yet, or none will come."""
        with self._changed:
            if not self._items and not self._is_closed:
                self._changed.wait(POLL)
            item = self._items.popleft() if self._items else None
            self._changed.notify_all()
            return item

    def on_lost(self, item: Item) -> None:
        """Counts a frame that was taken and could not be sent."""
        if item.video is not None:
            with self._changed:
                self.dropped += 1

    def wake(self) -> None:
        """Ends a wait in :meth:`take`."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more is added."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def is_finished(self) -> bool:
        """It is closed and empty."""
        with self._changed:
            return self._is_closed and not self._items

    def _drop_oldest(self, item: Item) -> None:
        """Drops a frame, but not its messages."""
        oldest = self._items.popleft()
        if oldest.video is not None:
            self.dropped += 1
        heir = self._items[0] if self._items else item
        heir.notes[:0] = oldest.notes
        del heir.notes[:-MAX_MESSAGES]


def jpeg_size(data: bytes) -> Tuple[int, int]:
    """Width and height of a JPEG in pixels (ITU-T T.81, B.2.2).

    Raises:
        ValueError: if it is no JPEG
    """
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xFF:  # a fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height = int.from_bytes(data[at + 5 : at + 7], "big")
            width = int.from_bytes(data[at + 7 : at + 9], "big")
            if width > 0 and height > 0:
                return width, height
            break
        else:
            at += 2 + length
    raise ValueError("Cannot publish the bytes: they are no JPEG")
