"""What was received and not yet taken: frames, and what comes with them."""

from __future__ import annotations

import threading
from collections import deque
from typing import Callable, Deque, Generic, List, Optional, Tuple, TypeVar, Union

from ._errors import to_raise
from ._frame import Audio, Frame, Message

OVERHEAD = 512
"""Bytes that an item takes beside its payload."""

MAX_FRAMES = 64
MAX_BYTES = 32 << 20
"""Frames and bytes that wait for a loop that takes each; two frames always may."""

MAX_OVERFLOW = 128 << 20
"""Bytes that may arrive after the server was asked to pause."""

MAX_AUDIO, MAX_DATA = 64 << 20, 16 << 20
"""Bytes of audio and of data that wait for their frame."""

MAX_ITEMS = 10_000
"""Runs of audio, and messages, that wait for their frame; of more, the oldest are dropped."""

Item = TypeVar("Item", Audio, Message)


class FrameQueue:
    """Passes frames from the thread that receives to the loop.

    With ``latest`` it holds one frame, the newest, with the audio and data of those that it
    replaces; otherwise a few, and whoever puts more waits.
    """

    def __init__(self, latest: bool) -> None:
        self.replaced = 0
        """Frames that newer ones replaced."""
        self.rest: List[Union[Audio, Message]] = []
        """What came after the last frame."""
        self.on_change: Optional[Callable[[], None]] = None
        """Called by another thread when there may be something to take."""
        self._latest = latest
        self._frames: Deque[Frame] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._epoch = 0
        self._is_stalled = False
        self._is_over = False
        self._error: Optional[BaseException] = None
        self._is_told = False
        """The error was raised."""

    def put(self, frame: Frame, epoch: int, timeout: float) -> bool:
        """Adds a frame, or discards it if its seek is not the latest one.

        Returns:
            False if there was no room within the timeout, in seconds
        """
        with self._changed:
            self._changed.wait_for(lambda: self._has_room or epoch != self._epoch, timeout)
            if epoch != self._epoch or self._is_over:
                return True
            if not self._has_room:
                self._is_stalled = True
                return False
            if self._latest and self._frames:
                self._replace(self._frames.pop(), frame)
            self._frames.append(frame)
            self._bytes += _size_of(frame)
            self._changed.notify_all()
        self.notify()
        return True

    def take(self, timeout: Optional[float]) -> Optional[Frame]:
        """The next frame; ``None`` at the end, or after the timeout.

        Raises:
            the error that ended the response
        """
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._is_over, timeout)
            if self._frames:
                frame = self._frames.popleft()
                self._bytes -= _size_of(frame)
                if self._bytes < MAX_BYTES // 4:
                    self._is_stalled = False
                self._changed.notify_all()
                return frame.hand_over()
            if self._error is not None:
                self._is_told = True
                raise to_raise(self._error)
            return None

    @property
    def is_stalled(self) -> bool:
        """The loop has taken nothing for a while: more is let in, as the server has to pause."""
        return self._is_stalled

    @property
    def is_over(self) -> bool:
        """All frames were taken, the error if any was raised, and nothing follows."""
        with self._changed:
            return self._is_over and not self._frames and (self._error is None or self._is_told)

    def seek(self, epoch: int) -> None:
        """Discards what is there, and accepts only frames of this seek from now on."""
        with self._changed:
            self._epoch = epoch
            self._frames.clear()
            self.rest.clear()
            self._bytes = 0
            self._is_over, self._error, self._is_stalled = False, None, False
            self._changed.notify_all()

    def finish(self, error: Optional[BaseException] = None) -> None:
        """Nothing follows. The error is raised after the last frame was taken.
        To be followed by :meth:`notify`."""
        with self._changed:
            if not self._is_over:
                self._is_over, self._error, self._is_told = True, error, False
            self._changed.notify_all()

    def notify(self) -> None:
        """Calls the listener, which may use the queue."""
        listener = self.on_change
        if listener is not None:
            listener()

    @property
    def _has_room(self) -> bool:
        if self._latest or self._is_over or len(self._frames) < 2:
            return True
        if self._is_stalled:
            return self._bytes < MAX_OVERFLOW
        return len(self._frames) < MAX_FRAMES and self._bytes < MAX_BYTES

    def _replace(self, old: Frame, new: Frame) -> None:
        """Keeps what came with a frame that is not taken."""
        new.dropped_before = True
        new.data = _newest(old.data + new.data, MAX_DATA)
        new.audio = _newest(old.audio + new.audio, MAX_AUDIO)
        self.replaced += 1
        self._bytes = 0


def _size_of(frame: Frame) -> int:
    companions = sum(len(item.bytes) + OVERHEAD for item in (*frame.audio, *frame.data))
    return len(frame.bytes) + OVERHEAD + companions


def _newest(items: Tuple[Item, ...], limit: int) -> Tuple[Item, ...]:
    items = items[-MAX_ITEMS:]
    size = sum(len(item.bytes) for item in items)
    first = 0
    while size > limit:
        size -= len(items[first].bytes)
        first += 1
    return items[first:]


class Companions(Generic[Item]):
    """Audio or messages that wait for the frame with which they are handed out."""

    def __init__(self, limit: int) -> None:
        """Takes the largest number of bytes that may wait."""
        self._limit = limit
        self._items: Deque[Item] = deque()
        self._bytes = 0

    def add(self, item: Item) -> None:
        """Adds one; of too many, the oldest are dropped."""
        self._items.append(item)
        self._bytes += len(item.bytes)
        while self._bytes > self._limit or len(self._items) > MAX_ITEMS:
            self._pop()

    def take(self, until: float) -> Tuple[Item, ...]:
        """Hands out those up to a time in seconds."""
        taken = []
        while self._items and self._items[0].time <= until:
            taken.append(self._pop())
        return tuple(taken)

    def _pop(self) -> Item:
        item = self._items.popleft()
        self._bytes -= len(item.bytes)
        return item
