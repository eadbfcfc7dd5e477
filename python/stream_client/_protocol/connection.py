"""Messages over one connection, with what a client has to do beside: pings and the clock."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Deque, Dict, NamedTuple, Optional, Tuple

from . import wire
from .._errors import ConnectionLost, StreamError, invalid
from .buffers import BufferPool
from .transport import Server, StallError, connect

PING_INTERVAL = 1.0
"""Seconds between pings for the clock."""

MAX_SAMPLES = 30
"""Pongs that count. A clock that was set is followed after as many."""


class Received(NamedTuple):
    """A message of a response."""

    kind: int
    flags: int
    stream: int
    timestamp: int
    payload: memoryview
    captured: Optional[int]
    """Of a live frame, microseconds since 1970 by the server's clock."""


class Clock:
    """How far the server's clock is ahead, from the ping with the shortest round trip."""

    def __init__(self) -> None:
        self._samples: Deque[Tuple[int, float]] = deque(maxlen=MAX_SAMPLES)
        self.round_trip: Optional[float] = None
        """Milliseconds of the shortest one, which did not wait behind frames; ``None`` at first."""

    def add(self, sent: int, received: int, remote: int) -> None:
        """Adds a sample; all three in microseconds since 1970."""
        if received >= sent and remote != 0:
            self._samples.append((received - sent, remote - (sent + received) / 2))
            round_trip = (received - sent) / 1000
            if self.round_trip is None or round_trip < self.round_trip:
                self.round_trip = round_trip

    @property
    def offset(self) -> Optional[float]:
        """Microseconds; ``None`` before the first pong."""
        return min(self._samples)[1] if self._samples else None

    def own_time(self, remote: Optional[int]) -> Optional[float]:
        """A time of the server in seconds since 1970 by the own clock, at most now."""
        offset = self.offset
        if remote is None or offset is None:
            return None
        return min((remote - offset) / 1e6, time.time())


class Connection:
    """A connection to a stream-server. One thread receives; any thread may send."""

    def __init__(self, server: Server, pool: Optional[BufferPool] = None) -> None:
        """Connects, see :func:`connect`."""
        self._pool = pool or BufferPool()
        self._header = memoryview(bytearray(wire.HEADER.size))
        self._capture = memoryview(bytearray(wire.CAPTURE_TIME.size))
        self._lock = threading.Lock()
        self._ping: Tuple[float, int] = (float("-inf"), 0)  # when it may be repeated, and its clock
        self.clock = Clock()
        self.sizes: Dict[int, Optional[int]] = {}
        """Bytes of the frames of each described stream; ``None`` if they differ."""
        self._transport = connect(server)

    def send(self, message: bytes, payload: Optional[wire.Bytes] = None) -> None:
        """Sends a message, or its header and its payload.

        Raises:
            ConnectionLost: if the connection is lost
        """
        with self._lock:
            if payload is None:
                self._transport.write(message)
            else:
                self._transport.write(message, payload)

    def send_json(self, kind: int, **fields: Any) -> None:
        """Sends a message with a JSON object."""
        self.send(wire.encode_json(kind, fields))

    def keep_alive(self) -> None:
        """Tells the server that this side is alive, though it does not read."""
        self.send(wire.encode(wire.PONG, b""))

    def ping(self) -> None:
        """Asks for the server's clock, at most once a second."""
        if time.monotonic() < self._ping[0]:
            return
        sent = now()
        self._ping = (time.monotonic() + PING_INTERVAL, sent)
        self.send_unless_lost(wire.encode(wire.PING, wire.CAPTURE_TIME.pack(sent), sent))

    def receive(self) -> Received:
        """The next message that is no ping, pong or error.

        Raises:
            StreamError: the server's error, or ``protocol``
            ConnectionLost: if the connection is lost
        """
        while True:
            message = self._receive()
            if message.kind == wire.PING:
                # The clock by which a publisher states when it captured.
                self.send_unless_lost(wire.encode(wire.PONG, message.payload, now()))
            elif message.kind == wire.PONG:
                self._on_pong(message)
            elif message.kind == wire.ERROR:
                raise _error_of(wire.parse_json(message.payload, "error"))
            else:
                return message

    @property
    def has_unread(self) -> bool:
        """Whether something has arrived that was not received."""
        return self._transport.has_unread

    def shut_down(self) -> None:
        """Ends what other threads do with the connection."""
        self._transport.shut_down()

    def close(self) -> None:
        """Closes it. No other thread may use it any more."""
        self._transport.close()

    def send_unless_lost(self, message: bytes) -> None:
        """Sends a message, and ignores that the connection is lost. Receiving tells it, after what
        the server sent before, such as an error or the end.

        Raises:
            StallError: if the server takes nothing for too long
        """
        try:
            self.send(message)
        except ConnectionLost as error:
            if isinstance(error, StallError):
                raise

    def _receive(self) -> Received:
        read_into = self._transport.read_into
        read_into(self._header)
        kind, flags, stream, timestamp, size = wire.parse_header(self._header)
        if kind != wire.FRAME:
            return Received(kind, 0, 0, timestamp, BufferPool().read(size, read_into), None)
        captured = None
        if flags & wire.LIVE:
            read_into(self._capture)
            (captured,) = wire.CAPTURE_TIME.unpack(self._capture)
            if abs(captured) >= wire.MAX_TIME:
                raise invalid(f"capture time {captured}, expected below 2^53")
            size -= wire.CAPTURE_TIME.size
        if stream not in self.sizes:
            raise invalid(f"a frame of stream {stream}, which it did not describe")
        expected = self.sizes[stream]
        if expected is not None and size != expected:
            raise invalid(f"a frame of {size} bytes in stream {stream}, expected {expected}")
        payload = self._pool.read(size, read_into)
        return Received(kind, flags, stream, timestamp, payload, captured)

    def _on_pong(self, message: Received) -> None:
        sent = self._ping[1]
        if bytes(message.payload) == wire.CAPTURE_TIME.pack(sent):
            self.clock.add(sent, now(), message.timestamp)


def _error_of(fields: Dict[str, Any]) -> StreamError:
    code = wire.text_of(fields, "code") or "internal"
    return StreamError(wire.text_of(fields, "message") or code, code)


def now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000
