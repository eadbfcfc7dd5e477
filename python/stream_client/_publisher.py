"""Publishes arrays and messages as a live source."""

from __future__ import annotations

import math
import threading
import time as clock
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, Type, Union, cast

from ._errors import ConnectionLost, StreamError, to_raise
from ._outbox import Item, VideoFormat, jpeg_size
from ._pixels import MAX_BYTES, arrange, channels_of, load_numpy
from ._protocol import wire
from ._protocol.buffers import BufferPool
from ._protocol.connection import now
from ._protocol.retry import Retries
from ._protocol.transport import Server
from ._sender import Sender, Totals, message_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLOSE_TIMEOUT = 10.0
"""Seconds that :meth:`Publisher.close` waits."""

MICROSECONDS = 1_000_000

MAX_TIME = 9e9
"""Seconds of the longest timeline."""


class Publisher:
    """A live source of a server, made of arrays.

        with Publisher("camera-box", "cam", fps=30) as out:
            out.write(image, data={"boxes": [[10, 20, 30, 40]]})

    A thread of its own connects and sends; it waits for a server that is not there yet, or whose
    name is taken by another publisher, and connects again after a cut. Meanwhile the oldest frames
    are dropped; ``trouble`` says why.

    Args:
        host: name or address of the server
        name: name of the source for those who watch
        fps: nominal frames per second, for those who encode it
        pixel_format: what the channels of arrays are, by FFmpeg's name, such as ``rgb24`` or
            ``bayer_rggb8``; default: gray, or blue, green, red and alpha, as in OpenCV
        late: what happens if two frames are already queued: ``drop`` (default) drops the oldest,
            ``wait`` has :meth:`write` wait
        timeout: seconds that :meth:`write` waits at most; default: no limit
        on_demand: frames are sent only while somebody watches, see ``watched``
        replace: take the name from another publisher
        port: TCP port
        token: what the server requires of publishers
        tls: encrypt; trust the authorities of this machine
        ca_file: encrypt; trust the authority or certificate in this PEM file
        fingerprint: encrypt; trust only the certificate with this SHA-256
        retries: further attempts to connect in a row; default: no end

    Raises:
        ValueError: for arguments that make no sense. Whatever the server refuses is raised by the
            next :meth:`write` or :meth:`close`
    """

    def __init__(
        self,
        host: str,
        name: str,
        *,
        fps: Optional[float] = None,
        pixel_format: Optional[str] = None,
        late: str = "drop",
        timeout: Optional[float] = None,
        on_demand: bool = False,
        replace: bool = False,
        port: int = wire.DEFAULT_PORT,
        token: Optional[str] = None,
        tls: bool = False,
        ca_file: Optional[str] = None,
        fingerprint: Optional[str] = None,
        retries: float = math.inf,
    ) -> None:
        if not name:
            raise ValueError("Cannot publish without a name")
        if late not in ("drop", "wait"):
            raise ValueError(f'Cannot use late="{late}": expected drop or wait')
        if fps is not None and not 0.01 <= fps <= 1000:
            raise ValueError(f"Cannot use fps {fps}: expected 0.01 to 1000")
        if timeout is not None and not (timeout > 0 and late == "wait"):
            raise ValueError(
                f'Cannot use timeout {timeout}: expected seconds above 0, with late="wait"'
            )
        if pixel_format is not None and channels_of(pixel_format) == 0:
            raise ValueError(
                f'Cannot publish pixel format "{pixel_format}": expected one of interleaved'
                " channels, such as rgb24"
            )
        self._name = name
        self._pixel_format = pixel_format
        self._patience = 0 if late == "drop" else timeout
        self._pool = BufferPool()
        self._began = clock.monotonic()
        self._last_pts = -1
        self._written = 0
        self._is_closed = False
        self._lock = threading.Lock()
        self._sender = Sender(
            Server(host, port, token, tls, ca_file, fingerprint),
            {"name": name, "onDemand": on_demand or None, "replace": replace or None},
            None if fps is None else Fraction(fps).limit_denominator(1001),
            Retries(retries),
        )

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        try:
            self.close()
        except StreamError:
            if error is None:
                raise

    def write(
        self,
        image: "Optional[NDArray[Any]]" = None,
        data: Any = None,
        time: Optional[float] = None,
    ) -> bool:
        """Publishes an image, with a message at its time. The image is copied.

        Args:
            image: height × width (gray), or height × width × 3 (blue, green, red) or 4 (and alpha);
                uint8, uint16 or float32 (from 0 to 1); need not be contiguous, and its size and
                type may change; ``None`` for a message alone
            data: any value that JSON has, or bytes; ``None`` for no message
            time: presentation time in seconds, increasing, and not ahead of real time; default:
                now

        Returns:
            False if it was dropped, or nobody watches and ``on_demand`` is set

        Raises:
            TypeError, ValueError: for an unsupported array or value, or a time that does not increase
            StreamError: if the server has refused the source
        """
        self._check()
        if image is None and data is None:
            raise ValueError("Cannot publish nothing: expected an image, or data")
        if self._is_unwanted:
            return False
        with self._lock:
            if image is None:
                return self._put(None, None, data, time)
            pixel_format, width, height, pixels = arrange(image, self._pixel_format)
            numpy = load_numpy()
            if numpy.may_share_memory(pixels, image):
                copy = numpy.frombuffer(memoryview(self._pool.take(pixels.nbytes)), numpy.uint8)
                numpy.copyto(copy, pixels)
                pixels = copy
            video = VideoFormat("rawvideo", width, height, pixel_format)
            return self._put(video, pixels.data, data, time)

    def write_jpeg(
        self,
        image: "Union[wire.Bytes, NDArray[np.uint8]]",
        data: Any = None,
        time: Optional[float] = None,
    ) -> bool:
        """Publishes a JPEG, with a message at its time. The rest is as for :meth:`write`.

        Args:
            image: the bytes of a JPEG, or an array of them as ``cv2.imencode`` gives it
        """
        self._check()
        if self._is_unwanted:
            return False
        try:
            payload = bytes(memoryview(cast(wire.Bytes, image)))
        except TypeError as error:
            raise TypeError(
                f"Cannot publish {type(image).__name__} as JPEG: expected bytes"
            ) from error
        video = VideoFormat("mjpeg", *jpeg_size(payload), None)
        with self._lock:
            return self._put(video, payload, data, time)

    @property
    def viewers(self) -> int:
        """Clients that watch it now."""
        return self._sender.viewers

    @property
    def watched(self) -> bool:
        """Whether somebody watches it now."""
        return self._sender.is_watched

    @property
    def connected(self) -> bool:
        """Whether the server takes frames now."""
        return self._sender.is_connected

    @property
    def trouble(self) -> Optional[StreamError]:
        """Why the server takes no frames at the moment, such as ``busy`` for a name that is taken;
        ``None`` while it does."""
        return self._sender.trouble

    @property
    def totals(self) -> Totals:
        """What was sent and dropped so far."""
        return self._sender.totals

    def wait_watched(self, timeout: Optional[float] = None) -> bool:
        """Waits until somebody watches, at most ``timeout`` seconds; whether somebody does.

        Raises:
            StreamError: if the server has refused the source
        """
        self._check()
        is_watched = self._sender.wait_watched(timeout)
        self._check()
        return is_watched

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Sends the frames that wait, ends the source, and compares totals with the server.

        Raises:
            StreamError: if the server has refused the source, or did not get all
            ConnectionLost: if it could not be reached, or not within ``timeout`` seconds
        """
        sender = self._sender
        if self._is_closed or not sender.is_ours:
            return
        self._is_closed = True
        is_in_time = sender.close(timeout)
        if self._written == 0 and not sender.was_accepted and isinstance(
            sender.error, (ConnectionLost, type(None))
        ):
            return
        if not is_in_time:
            raise ConnectionLost(
                f'Cannot end "{self._name}" within {timeout:g} s: the server does not answer'
            )
        if sender.error is not None:
            raise to_raise(sender.error)

    def __del__(self) -> None:
        if hasattr(self, "_sender") and self._sender.is_ours:
            self._sender.end()

    @property
    def _is_unwanted(self) -> bool:
        return self._sender.is_on_demand and not self._sender.is_watched

    def _check(self) -> None:
        if self._is_closed:
            raise ValueError("Cannot use the publisher: it is closed")
        if not self._sender.is_ours:
            raise ValueError("Cannot use the publisher in another process: open it there")
        if self._sender.error is not None:
            raise to_raise(self._sender.error)

    def _put(
        self, video: Optional[VideoFormat], payload: Optional[wire.Bytes], data: Any,
        time: Optional[float],
    ) -> bool:
        captured = now()
        if time is None:
            time = clock.monotonic() - self._began
            pts = max(round(time * MICROSECONDS), self._last_pts + 1)
        elif not 0 <= time <= MAX_TIME:
            raise ValueError(f"Cannot publish at {time}: expected seconds from 0 to {MAX_TIME:g}")
        else:
            pts = round(time * MICROSECONDS)
            if pts <= self._last_pts:
                raise ValueError(
                    f"Cannot publish at {time}: expected a time after that of the frame before"
                )
        if payload is not None and len(payload) > MAX_BYTES:
            raise ValueError(
                f"Cannot publish a frame of {len(payload)} bytes: expected at most {MAX_BYTES}"
            )
        message = None if data is None else message_of(data)
        self._last_pts = pts
        self._written += 1
        item = Item(pts, captured, video, payload, message)
        is_queued = self._sender.outbox.put(item, self._patience)
        if not is_queued:
            self._check()
        return is_queued
