"""What was received and not yet taken: frames, and what comes with them."""

from __future__ import annotations

import threading
from collections import deque
from typing import Callable, Deque, List, Optional, Tuple, TypeVar, Union

from ._frame import Audio, Frame, Message

MAX_FRAMES = 64
MAX_BYTES = 32 << 20
"""Frames and bytes that wait for a loop that takes each; two frames always may."""

MAX_OVERFLOW = 128 << 20
"""Bytes that may arrive after the server was asked to pause."""

MAX_AUDIO, MAX_DATA = 64 << 20, 16 << 20
"""Bytes of audio and data that wait for their frame; of more, the oldest are dropped."""

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
        self.is_stalled = False
        """The loop has taken nothing for a while: more is let in, as the server pauses."""
        self.on_change: Optional[Callable[[], None]] = None
        """Called when there is something to take."""
        self._latest = latest
        self._frames: Deque[Frame] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._epoch = 0
        self._is_over = False
        self._error: Optional[BaseException] = None

    def put(self, frame: Frame, epoch: int, timeout: float) -> bool:
        """Adds a frame, or discards it if its seek is not the latest one.

        Returns:
            False if there was no room within the timeout, in seconds
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room or epoch != self._epoch, timeout):
                return False
            if epoch != self._epoch or self._is_over:
                return True
            if self._latest and self._frames:
                _replace(self._frames.pop(), frame)
                self.replaced += 1
                self._bytes = 0
            self._frames.append(frame)
            self._bytes += len(frame.bytes)
            self._changed.notify_all()
        self._notify()
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
                self._bytes -= len(frame.bytes)
                if self.is_stalled and self._bytes < MAX_BYTES // 4:
                    self.is_stalled = False
                self._changed.notify_all()
                return frame.hand_over()
            if self._error is not None:
                raise self._error
            return None

    @property
    def is_over(self) -> bool:
        """Nothing is left to take, and nothing will come."""
        with self._changed:
            return self._is_over and not self._frames

    def seek(self, epoch: int) -> None:
        """Discards what is there, and accepts only frames of this seek from now on."""
        with self._changed:
            self._epoch = epoch
            self._frames.clear()
            self.rest.clear()
            self._bytes = 0
            self._is_over, self._error, self.is_stalled = False, None, False
            self._changed.notify_all()

    def finish(self, error: Optional[BaseException] = None) -> None:
        """Nothing follows. The error is raised after the last frame was taken."""
        with self._changed:
            if not self._is_over:
                self._is_over, self._error = True, error
            self._changed.notify_all()
        self._notify()

    @property
    def _has_room(self) -> bool:
        if self._latest or self._is_over or len(self._frames) < 2:
            return True
        if self.is_stalled:
            return self._bytes < MAX_OVERFLOW
        return len(self._frames) < MAX_FRAMES and self._bytes < MAX_BYTES

    def _notify(self) -> None:
        if self.on_change is not None:
            self.on_change()


def _replace(old: Frame, new: Frame) -> None:
    """Keeps what came with a frame that is not taken."""
    new.dropped_before = True
    new.data = _newest(old.data + new.data, MAX_DATA)
    new.audio = _newest(old.audio + new.audio, MAX_AUDIO)


def _newest(items: Tuple[Item, ...], limit: int) -> Tuple[Item, ...]:
    size = sum(len(item.bytes) for item in items)
    first = 0
    while size > limit:
        size -= len(items[first].bytes)
        first += 1
    return items[first:]


class Companions:
    """Audio and messages that wait for the frame with which they are handed out."""

    def __init__(self) -> None:
        self._audio: Tuple[Audio, ...] = ()
        self._data: Tuple[Message, ...] = ()

    def add_audio(self, audio: Audio) -> None:
        """Adds audio for the next frame."""
        self._audio = _newest((*self._audio, audio), MAX_AUDIO)

    def add_message(self, message: Message) -> None:
        """Adds a message for the first frame that is not before it."""
        self._data = _newest((*self._data, message), MAX_DATA)

    def attach_to(self, frame: Frame) -> None:
        """Hands out what belongs to a frame."""
        frame.audio, self._audio = self._audio, ()
        latest = frame.time + float(frame.stream.time_base) / 2
        frame.data = tuple(message for message in self._data if message.time <= latest)
        self._data = tuple(message for message in self._data if message.time > latest)

    def clear(self) -> List[Union[Audio, Message]]:
        """Hands out all that is left."""
        left: List[Union[Audio, Message]] = [*self._audio, *self._data]
        self._audio, self._data = (), ()
        return left
