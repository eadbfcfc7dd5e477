"""Streams for asyncio."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, AsyncIterator, Optional, Type

from ._frame import Frame
from ._stream import Stream


class AsyncStream:
    """A :class:`Stream` whose frames are awaited; see :func:`aopen`."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        """For ``seek()``, ``pause()``, ``streams`` and the like."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        stream.on_change = self._on_change

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        """Waits for the next frame. Raises as the stream does, at the end
        ``StopAsyncIteration``."""
        while True:
            self._changed.clear()
            frame = self.stream.poll()
            if frame is not None:
                return frame
            if self.stream.ended:
                raise StopAsyncIteration
            await self._changed.wait()

    async def aclose(self) -> None:
        """Closes the connection; twice is harmless. A task that waits for a frame gets the error
        that the stream is closed."""
        self.stream.on_change = None
        await asyncio.to_thread(self.stream.close)
        self._changed.set()

    def _on_change(self) -> None:
        """Called by the thread that receives."""
        try:
            self._loop.call_soon_threadsafe(self._changed.set)
        except RuntimeError:
            pass  # the loop is closed


class aopen:  # noqa: N801 - it is used like a function
    """Opens a :class:`Stream` for asyncio; takes the same arguments.

        async with aopen("camera-box", "cam", latest=True) as frames:
            async for frame in frames:
                print(frame.time)
    """

    def __init__(self, host: str, name: Optional[str] = None, **options: Any) -> None:
        self._arguments = (host, name)
        self._options = options
        self._stream: Optional[AsyncStream] = None

    async def __aenter__(self) -> AsyncStream:
        stream = Stream.__new__(Stream)  # to be closed before it is open
        opening = asyncio.ensure_future(
            asyncio.to_thread(Stream.__init__, stream, *self._arguments, **self._options)
        )
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            stream._abandon()
            opening.add_done_callback(lambda done: _close(done, stream))
            raise
        self._stream = AsyncStream(stream)
        return self._stream

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._stream is not None:
            await self._stream.aclose()


def _close(opening: "asyncio.Future[None]", stream: Stream) -> None:
    """Closes a stream that nobody waits for any more."""
    if not opening.cancelled() and opening.exception() is None:
        stream.close()
