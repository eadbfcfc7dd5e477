"""Sends what is published in a thread of its own, over as many connections as it takes."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Dict, List, Optional

from ._errors import ConnectionLost, StreamError, invalid
from ._outbox import DataMessage, Item, Outbox, VideoFormat
from ._protocol import wire
from ._protocol.connection import Connection
from ._protocol.retry import Retries
from ._protocol.totals import Counts, check_totals
from ._protocol.transport import Server

TIME_BASE = [1, 1_000_000]
"""Seconds per tick."""

VIDEO_ID = 0
DATA_IDS = {"json": 1, "bytes": 2}
"""Ids of the streams."""

MAX_MESSAGE = 1 << 20
"""Bytes of the largest message."""

POLL = 1.0
"""Seconds after which a wait looks for Ctrl-C; without it, Windows would not."""

END_TIMEOUT = 30.0
"""Seconds for the server's totals, once it has been told the end."""

REASON_GRACE = 1.0
"""Seconds to read why the server hung up, once a write has failed."""

logger = logging.getLogger("stream_client")


@dataclass(frozen=True)
class Totals:
    """What a publisher has sent so far."""

    frames: int = 0
    messages: int = 0
    bytes: int = 0
    """Of frames and messages."""
    dropped: int = 0
    """Frames that were written and not sent as a whole."""
    dropped_messages: int = 0
    """Messages that were written and not sent."""
    reconnects: int = 0


class Link:
    """One connection that the server has accepted. A thread listens to the server."""

    def __init__(self, connection: Connection, is_watched: bool) -> None:
        self.connection = connection
        self.is_watched = is_watched
        self.viewers = 0
        self.lost: Optional[BaseException] = None
        self.end: Optional[Dict[str, Any]] = None
        self.is_finishing = False
        self.video: Optional[VideoFormat] = None
        self.kinds: List[str] = []
        """Of messages; with ``video``, what was described."""
        self.counts: Counts = {}
        """What was sent."""

    def send(self, stream: int, payload: wire.Bytes, pts: int, captured: int) -> None:
        """Sends one frame or message."""
        size = len(payload)
        header = wire.encode_header(
            wire.FRAME, wire.CAPTURE_TIME.size + size, wire.KEYFRAME | wire.LIVE, stream, pts
        )
        self.connection.send(header + wire.CAPTURE_TIME.pack(captured), payload)
        frames, total = self.counts.get(stream, (0, 0))
        self.counts[stream] = (frames + 1, total + size)


class Sender:
    """One published source."""

    def __init__(
        self, server: Server, request: Dict[str, Any], fps: Optional[Fraction], retries: Retries
    ) -> None:
        self.outbox = Outbox()
        self.error: Optional[BaseException] = None
        """Why it has ended, if it has."""
        self.trouble: Optional[StreamError] = None
        """Why there is no connection at the moment."""
        self.was_accepted = False
        """The server has taken it once."""
        self.is_on_demand = request.get("onDemand") is True
        self._server = server
        self._request = request
        self._fps = fps
        self._retries = retries
        self._connection: Optional[Connection] = None
        self._link: Optional[Link] = None
        self._is_closed = threading.Event()
        self._is_abandoned = False
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._reconnects = 0
        self._is_over = False
        self._sent = (0, 0, 0)
        """Frames, messages and bytes."""
        self._thread = threading.Thread(target=self._run, name="stream_client", daemon=True)
        self._thread.start()

    @property
    def is_connected(self) -> bool:
        """The server takes frames now."""
        return self._link is not None

    @property
    def is_ours(self) -> bool:
        """It belongs to this process, and not to the one that this was forked from."""
        return self._process == os.getpid()

    @property
    def viewers(self) -> int:
        """Clients that watch it now."""
        link = self._link
        return 0 if link is None else link.viewers

    @property
    def is_watched(self) -> bool:
        """Somebody watches it."""
        link = self._link
        if link is None:
            return False
        return link.is_watched if self.is_on_demand else link.viewers > 0

    @property
    def totals(self) -> Totals:
        """Sums over all connections."""
        outbox = self.outbox
        return Totals(*self._sent, outbox.dropped, outbox.dropped_messages, self._reconnects)

    def wait_watched(self, timeout: Optional[float]) -> bool:
        """Waits until somebody watches, or nothing more is sent; whether somebody does."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not (self.is_watched or self._is_over):
                left = POLL if end is None else min(POLL, end - time.monotonic())
                if left <= 0:
                    break
                self._changed.wait(left)
        return self.is_watched

    def end(self) -> None:
        """Has the thread end once it has sent what waits."""
        self._is_closed.set()
        self.outbox.close()

    def close(self, timeout: float) -> bool:
        """Sends what waits, and the end; true if that was within the timeout, in seconds."""
        self.end()
        end = time.monotonic() + timeout
        while self._thread.is_alive() and time.monotonic() < end:
            self._thread.join(min(POLL, max(0.0, end - time.monotonic())))
        if not self._thread.is_alive():
            return True
        self._is_abandoned = True
        connection = self._connection
        if connection is not None:
            connection.shut_down()
            self._thread.join(REASON_GRACE)
        return False

    def _run(self) -> None:
        try:
            while True:
                try:
                    self._publish()
                    return
                except StreamError as error:
                    self._wait_to_retry(error)
        except Exception as error:  # an internal error must not be silent
            self.error = error
        finally:
            self.outbox.close()
            self.outbox.discard()
            self._is_over = True
            self._tell()

    def _publish(self) -> None:
        """Publishes over one connection, to the end."""
        connection = Connection(self._server)
        self._connection = connection
        try:
            if self._is_abandoned:
                raise ConnectionLost("the publisher was closed")
            request = wire.encode_request("publish", self._server.token, self._request)
            connection.send_unless_lost(request)
            message = connection.receive()
            while message.kind == wire.NOTICE:
                message = connection.receive()
            if message.kind != wire.ACCEPT:
                raise invalid(f"a message of kind {message.kind} is unexpected here")
            accept = wire.parse_json(message.payload, "acceptance")
            link = Link(connection, accept.get("watched") is True)
            self._on_accepted(link)
            listener = threading.Thread(target=self._listen, args=(link,), daemon=True)
            listener.start()
            try:
                self._send_all(link)
                self._finish(link, listener)
            except ConnectionLost:
                listener.join(REASON_GRACE)
                if isinstance(link.lost, StreamError):
                    raise link.lost
                raise
            finally:
                self._link = None
                connection.shut_down()
                listener.join()
        finally:
            self._connection = None
            connection.close()

    def _send_all(self, link: Link) -> None:
        while not self.outbox.is_finished:
            if link.lost is not None:
                raise link.lost
            item = self.outbox.take()
            if item is not None:
                self._send(link, item)

    def _send(self, link: Link, item: Item) -> None:
        frames, messages, size = self._sent
        try:
            self._describe(link, item)
            if item.message is not None:
                codec, payload = item.message
                link.send(DATA_IDS[codec], payload, item.pts, item.captured)
                messages, size = messages + 1, size + len(payload)
                item = item._replace(message=None)
            if item.payload is not None:
                link.send(VIDEO_ID, item.payload, item.pts, item.captured)
                frames, size = frames + 1, size + len(item.payload)
        except StreamError:
            self.outbox.on_lost(item)
            raise
        finally:
            self._sent = (frames, messages, size)

    def _describe(self, link: Link, item: Item) -> None:
        """Describes what follows, if that is not what was described."""
        new = [] if item.message is None or item.message.codec in link.kinds else [
            item.message.codec
        ]
        if not new and item.video in (None, link.video):
            return
        link.video, link.kinds = item.video or link.video, [*link.kinds, *new]
        streams: List[Dict[str, Any]] = []
        if link.video is not None:
            codec, width, height, pixel_format = link.video
            streams.append({
                "id": VIDEO_ID, "type": "video", "codec": codec, "timeBase": TIME_BASE,
                "width": width, "height": height, "pixelFormat": pixel_format,
                "frameRate": self._fps and [self._fps.numerator, self._fps.denominator],
            })
        for kind in link.kinds:
            streams.append(
                {"id": DATA_IDS[kind], "type": "data", "codec": kind, "timeBase": TIME_BASE}
            )
        link.connection.send_json(wire.DESCRIBE, version=wire.VERSION, streams=streams)

    def _finish(self, link: Link, listener: threading.Thread) -> None:
        link.is_finishing = True
        link.connection.send_json(wire.END)
        listener.join(END_TIMEOUT)
        if link.end is None:
            raise link.lost or ConnectionLost(
                f"the server did not confirm the end within {END_TIMEOUT:.0f} s"
            )
        end = {**link.end, "streams": link.end.get("streams") or []}
        check_totals(end, link.counts, "were sent", "received")

    def _listen(self, link: Link) -> None:
        """Reads what the server sends, until the end."""
        try:
            while True:
                message = link.connection.receive()
                if message.kind == wire.CONTROL:
                    action = wire.parse_json(message.payload, "control").get("action")
                    if action in ("pause", "resume"):
                        link.is_watched = action == "resume"
                elif message.kind == wire.NOTICE:
                    viewers = wire.parse_json(message.payload, "notice").get("viewers")
                    if isinstance(viewers, int):
                        link.viewers = viewers
                elif message.kind == wire.END:
                    end = wire.parse_json(message.payload, "end")
                    if not link.is_finishing:
                        raise ConnectionLost("the server ended it")
                    link.end = end
                    break
                else:
                    raise invalid(f"a message of kind {message.kind} is unexpected here")
                self._tell()
        except Exception as error:  # told by the thread that sends
            link.lost = error
            link.connection.shut_down()
            self.outbox.wake()

    def _on_accepted(self, link: Link) -> None:
        if self.was_accepted:
            self._reconnects += 1
            logger.warning("Connected to %s again", self._server.address)
        self.was_accepted = True
        self.trouble = None
        self._link = link
        self._retries.reset()
        self._tell()

    def _wait_to_retry(self, error: StreamError) -> None:
        """Waits until the next attempt is due, or raises."""
        self._tell()
        if not isinstance(error, ConnectionLost) and error.code != "busy":
            raise error
        if self._is_closed.is_set():
            raise error
        self.trouble = error
        delay = self._retries.next_delay(error, self.was_accepted)
        logger.warning("%s; trying again in %.0f s", error, delay)
        if self._is_closed.wait(delay):
            raise error

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()


def message_of(value: Any) -> DataMessage:
    """A message from a JSON value, or from bytes.

    Raises:
        TypeError, ValueError: if it is neither, or too large
    """
    is_binary = isinstance(value, (bytes, bytearray, memoryview))
    payload = bytes(value) if is_binary else wire.encode_value(value)
    if len(payload) > MAX_MESSAGE:
        raise ValueError(
            f"Cannot publish a message of {len(payload)} bytes: expected at most {MAX_MESSAGE}"
        )
    return DataMessage("bytes" if is_binary else "json", payload)
