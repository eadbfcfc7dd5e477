"""Streams for asyncio."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, AsyncIterator, Optional, Type

from ._frame import Frame
from ._stream import Stream


class AsyncStream(Stream):
    """A :class:`Stream` whose frames are awaited; see :func:`aopen`."""

    def __init__(self, host: str, name: Optional[str] = None, **options: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        super().__init__(host, name, **options)

    def _begin(self) -> None:
        """Waits for nothing: :meth:`begin` does."""
        self._receiver.queue.on_change = self._on_change

    async def begin(self) -> None:
        """Waits for the description. Raises as :class:`Stream` does."""
        try:
            while not self._receiver.is_described:
                await self._changed.wait()
                self._changed.clear()
            super()._begin()
        except BaseException:
            self.close()
            raise

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        """Waits for the next frame. Raises as the stream does, at the end
        ``StopAsyncIteration``."""
        receiver = self._open
        while True:
            self._changed.clear()
            frame = self._taken(receiver.queue.take(0))
            if frame is not None:
                return frame
            if self.ended:
                raise StopAsyncIteration
            await self._changed.wait()

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
        self._arguments = (host, name, options)
        self._stream: Optional[AsyncStream] = None

    async def __aenter__(self) -> AsyncStream:
        host, name, options = self._arguments
        self._stream = AsyncStream(host, name, **options)
        await self._stream.begin()
        return self._stream

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._stream is not None:
            self._stream.close()
