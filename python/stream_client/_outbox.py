"""What is to be published and not yet sent."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Deque, NamedTuple, Optional, Tuple

from ._protocol.wire import Bytes

MAX_FRAMES = 2
"""Frames that wait to be sent."""

MAX_MESSAGES = 1000
MAX_MESSAGE_BYTES = 16 << 20
"""Messages without a frame that wait to be sent, and their bytes."""

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


class DataMessage(NamedTuple):
    """A message of a data stream."""

    codec: str
    """``json`` or ``bytes``."""
    payload: bytes


class Item(NamedTuple):
    """A frame with a message, or one of the two."""

    pts: int
    """Microseconds of the publisher's timeline."""
    captured: int
    """Microseconds since 1970."""
    video: Optional[VideoFormat]
    """Format of the frame, also of one that was dropped; ``None`` for a message alone."""
    payload: Optional[Bytes]
    """The frame."""
    message: Optional[DataMessage]


class Outbox:
    """Holds two frames. Another one takes the place of the oldest, or waits for room."""

    def __init__(self) -> None:
        self.dropped = 0
        """Frames that were not sent."""
        self.dropped_messages = 0
        """Messages that were not sent."""
        self._items: Deque[Item] = deque()
        self._changed = threading.Condition()
        self._is_closed = False

    def put(self, item: Item, patience: Optional[float]) -> bool:
        """Adds a frame or a message.

        Args:
            patience: seconds to wait for room; ``None`` for no end; 0 to drop the oldest

        Returns:
            False if there was no room, or it is closed
        """
        end = None if patience is None else time.monotonic() + patience
        with self._changed:
            while patience != 0 and not self._is_closed and not self._has_room(item):
                left = POLL if end is None else min(POLL, end - time.monotonic())
                if left <= 0:
                    break
                self._changed.wait(left)
            if self._is_closed or patience != 0 and not self._has_room(item):
                self._count_dropped(item)
                return False
            while not self._has_room(item):
                self._drop_oldest(item)
            self._items.append(item)
            self._changed.notify_all()
        return True

    def take(self) -> Optional[Item]:
        """Waits for a frame or message; ``None`` if there is none yet, or none will come."""
        with self._changed:
            if not self._items and not self._is_closed:
                self._changed.wait(POLL)
            item = self._items.popleft() if self._items else None
            self._changed.notify_all()
            return item

    def on_lost(self, item: Item) -> None:
        """Counts what was taken and could not be sent as a whole."""
        with self._changed:
            self._count_dropped(item)

    def wake(self) -> None:
        """Ends a wait in :meth:`take`."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more is added."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def discard(self) -> None:
        """Drops what waits."""
        with self._changed:
            for item in self._items:
                self._count_dropped(item)
            self._items.clear()

    @property
    def is_finished(self) -> bool:
        """It is closed and empty."""
        with self._changed:
            return self._is_closed and not self._items

    def _has_room(self, item: Item) -> bool:
        alike = [other for other in self._items if is_alike(item, other)]
        if item.payload is not None:
            return len(alike) < MAX_FRAMES
        size = sum(size_of(other) for other in alike)
        return len(alike) < MAX_MESSAGES and size + size_of(item) <= MAX_MESSAGE_BYTES

    def _drop_oldest(self, item: Item) -> None:
        """Drops the oldest frame, but not its message, or the oldest message."""
        at, oldest = next(
            (at, other) for at, other in enumerate(self._items) if is_alike(item, other)
        )
        del self._items[at]
        if oldest.payload is None or oldest.message is None:
            self._count_dropped(oldest)
            return
        self.dropped += 1
        message = oldest._replace(payload=None)
        while not self._has_room(message):
            self._drop_oldest(message)
            at -= 1
        self._items.insert(max(0, at), message)

    def _count_dropped(self, item: Item) -> None:
        self.dropped += item.payload is not None
        self.dropped_messages += item.message is not None


def is_alike(one: Item, other: Item) -> bool:
    """Whether both have a frame, or both have none."""
    return (one.payload is None) == (other.payload is None)


def size_of(item: Item) -> int:
    """Bytes of the message."""
    return 0 if item.message is None else len(item.message.payload)


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
