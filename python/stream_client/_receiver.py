"""Receives a response in a thread of its own, over as many connections as it takes."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Deque, Dict, Mapping, Optional, Tuple

from ._errors import ConnectionLost, StreamError, invalid
from ._frame import Audio, Frame, Message, raw_size, sample_size
from ._progress import Progress
from ._protocol import wire
from ._protocol.buffers import BufferPool
from ._protocol.connection import Connection, Received
from ._protocol.description import Description, StreamInfo, parse_description
from ._protocol.retry import Retries
from ._protocol.totals import check_totals
from ._protocol.transport import Server
from ._queue import MAX_AUDIO, MAX_DATA, Companions, FrameQueue

KEEP_ALIVE = 5.0
"""Seconds without room for a frame after which the server is told, and asked to pause."""

CATCH_UP, PAUSE = 0.02, 0.001
"""Seconds for the thread to read what has arrived, and those after which that is checked again."""

MAX_CROSSED = 5
"""Responses without a reply to the seek of their request, which the end may have crossed."""

MAX_NOTICES = 100

POLL = 1.0
"""Seconds after which a wait looks for Ctrl-C; without it, Windows would not."""

logger = logging.getLogger("stream_client")


@dataclass(frozen=True)
class Notice:
    """An event of a response.

    ``code`` is one of the protocol (``dropped``, ``slow_link``, ``slow_source``, ``source_lost``,
    ``source_back``, ``waiting``, ``resuming``), or ``note`` (a difference from the request),
    ``warning`` (damaged media), ``lost`` and ``back`` (of the connection). Others may be added.
    """

    code: str
    message: str
    """A sentence for people."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Further values, such as ``dropped``."""


class Receiver:
    """One response. A thread of it receives; the loop takes frames from ``queue``."""

    def __init__(
        self, server: Server, request: Dict[str, Any], *, latest: bool, retries: Retries
    ) -> None:
        self.queue = FrameQueue(latest)
        self._latest = latest
        self.notices: Deque[Notice] = deque(maxlen=MAX_NOTICES)
        self._server = server
        self._progress = Progress(request)
        self._retries = retries
        self._pool = BufferPool()
        self._audio: Companions[Audio] = Companions(MAX_AUDIO)
        self._data: Companions[Message] = Companions(MAX_DATA)
        self._dropped = (0, 0)
        """Frames that the server dropped, on earlier connections and on this one."""
        self._described = threading.Condition()
        self._lock = threading.Lock()
        """Of what follows, and of the order of controls."""
        self._connection: Optional[Connection] = None
        self._is_connecting = False
        self._is_paused = False
        self._is_pause_sent = False
        self._is_running = False
        self._finished = 0
        """Number of the seek after which the end was reached."""
        self._crossed = 0
        self._is_closed = threading.Event()
        self._was_connected = False
        self._is_cut = False
        self._process = os.getpid()
        self._thread = threading.Thread()

    def start(self) -> None:
        """Starts to receive, from the latest seek on."""
        self._is_running = True
        self._thread = threading.Thread(target=self._run, name="stream_client", daemon=True)
        self._thread.start()

    @property
    def is_ours(self) -> bool:
        """It belongs to this process, and not to the one that this was forked from."""
        return self._process == os.getpid()

    @property
    def is_described(self) -> bool:
        """The description has come, or will not come any more."""
        return self._progress.description is not None or not self._is_running

    @property
    def description(self) -> Description:
        """The latest description, which is waited for.

        Raises:
            StreamError: if there will be none
        """
        with self._described:
            while not self._described.wait_for(lambda: self.is_described, POLL):
                pass
        if self._progress.description is None:
            self.queue.take(0)
            raise ConnectionLost("the stream was closed before it began")
        return self._progress.description

    @property
    def dropped(self) -> int:
        """Frames that the server dropped."""
        return sum(self._dropped)

    def pause(self, is_paused: bool) -> None:
        """Asks the server to pause or to resume."""
        self._is_paused = is_paused
        with self._lock:
            self._send_pause()

    def seek(self, to: float) -> None:
        """Goes to a time in seconds; frames from before it are no longer handed out."""
        with self._lock:
            self._progress.on_seek(to)
            number = self._progress.seek_number
            self.queue.seek(number)
            self._send_pause()
            self._send(action="seek", to=to, id=number)
            if not self._is_running:
                self._retries.reset()
                self.start()

    def take(self, timeout: float) -> Optional[Frame]:
        """The next frame, see :meth:`FrameQueue.take`; with ``latest`` the newest that arrived."""
        if self._latest:
            self._catch_up()
        return self.queue.take(timeout)

    def _catch_up(self) -> None:
        """Lets the thread read what has arrived: a loop that keeps the interpreter to itself, as in
        a long call of C code, holds it up."""
        deadline = time.monotonic() + CATCH_UP
        connection = self._connection
        while connection is not None and connection.has_unread and time.monotonic() < deadline:
            time.sleep(PAUSE)

    def on_taken(self) -> None:
        """Has the server go on when the loop does."""
        if self._is_pause_sent and not self._is_paused and not self.queue.is_stalled:
            with self._lock:
                self._send_pause()

    def close(self, wait: bool = True) -> None:
        """Ends the response. Harmless when it is over."""
        if not self.is_ours:
            return
        self._is_closed.set()
        self.queue.finish()
        self.queue.notify()
        connection = self._connection
        if connection is not None:
            connection.shut_down()
        # What connects ends by itself, after seconds.
        wait = wait and not self._is_connecting and self._thread is not threading.current_thread()
        while wait and self._thread.is_alive():
            self._thread.join(POLL)

    def _run(self) -> None:
        while True:
            error = self._receive_until_over()
            with self._lock:
                is_over = error is not None or self._is_closed.is_set()
                if is_over or self._progress.seek_number == self._finished:
                    self._is_running = False
                    end = float("inf")
                    self.queue.rest.extend([*self._audio.take(end), *self._data.take(end)])
                    self.queue.finish(error)
                    break
        with self._described:
            self._described.notify_all()
        self.queue.notify()

    def _receive_until_over(self) -> Optional[BaseException]:
        """Receives over as many connections as it takes; gives the error at the end."""
        try:
            while not self._is_closed.is_set():
                try:
                    if self._receive_once():
                        return None
                except StreamError as failure:
                    if not self._is_closed.is_set():
                        self._wait_to_retry(failure)
        except Exception as failure:  # an internal error must not leave the loop waiting
            return failure
        return None

    def _receive_once(self) -> bool:
        """Receives over one connection; true if the response is over."""
        self._dropped = (self.dropped, 0)
        self._is_connecting = True
        try:
            connection = Connection(self._server, self._pool)
        finally:
            self._is_connecting = False
        try:
            self._connection = connection
            if self._is_closed.is_set():
                return True
            connection.ping()  # its answer is here before the first frame
            with self._lock:
                asked = self._progress.seek_number
                request, seek = self._progress.next_request(), self._progress.next_seek()
                self._is_pause_sent = False
                if request is None:
                    self._add_notice("lost", "What was asked for is over: its end is missing")
                    return True
                message = wire.encode_request("get_video", self._server.token, request)
                connection.send_unless_lost(message)
                if seek is not None:
                    connection.send_unless_lost(wire.encode_json(wire.CONTROL, seek))
                self._send_pause()
            return self._receive_all(connection, asked, seek is not None)
        finally:
            with self._lock:
                self._connection = None
                connection.close()

    def _receive_all(self, connection: Connection, asked: int, is_sought: bool) -> bool:
        """Receives a response to a request with the seek ``asked``, or with its control."""
        counts: Dict[int, Tuple[int, int]] = {}
        taken = 0
        streams: Dict[int, StreamInfo] = {}
        answered: object = None if asked > 0 else 0
        while True:
            message = connection.receive()
            if message.kind == wire.FRAME:
                frames, size = counts.get(message.stream, (0, 0))
                counts[message.stream] = (frames + 1, size + len(message.payload))
                number = self._progress.seek_number
                if answered == number:
                    self._on_frame(message, streams[message.stream], connection, number)
                if self._progress.is_live:
                    connection.ping()
                    if self._latest and streams[message.stream].type == "video":
                        # The server has few under way, so that none grows old there.
                        taken += 1
                        trip = connection.clock.round_trip
                        known = {} if trip is None else {"roundTrip": trip}
                        self._send(action="taken", frames=taken, **known)
            elif message.kind == wire.DESCRIBE:
                description = parse_description(message.payload)
                self._progress.describe(description, is_further=bool(streams))
                streams = {stream.id: stream for stream in description.streams}
                connection.sizes = {number: raw_size(info) for number, info in streams.items()}
                self._on_described(description)
            elif message.kind == wire.CONTROL:
                fields = wire.parse_json(message.payload, "control")
                reply = fields.get("id")
                is_sent = type(reply) is int and 0 < reply <= self._progress.seek_number
                if fields.get("action") == "seek" and is_sent:
                    answered = reply
                    self._on_seek_reply(answered)
            elif message.kind == wire.NOTICE:
                self._on_notice(wire.parse_json(message.payload, "notice"))
            elif message.kind == wire.END and streams:
                self._on_end(wire.parse_json(message.payload, "end"), counts)
                # A seek that came too late for this connection is asked for on another.
                with self._lock:
                    self._finished = self._progress.seek_number
                is_missing = is_sought and answered is None and self._crossed < MAX_CROSSED
                self._crossed = self._crossed + 1 if is_missing else 0
                return not is_missing and self._finished in (asked, answered)
            else:
                raise invalid(f"a message of kind {message.kind} is unexpected here")

    def _on_described(self, description: Description) -> None:
        for note in description.notes:
            self._add_notice("note", note)
        if self._is_cut:
            self._add_notice("back", f"Connected to {self._server.address} again")
            logger.warning("Connected to %s again", self._server.address)
        if self._is_paused:
            self._retries.reset()  # no frame will come that would
        self._was_connected = True
        with self._described:
            self._described.notify_all()
        self.queue.notify()

    def _on_seek_reply(self, number: object) -> None:
        with self._lock:
            is_first = self._progress.on_seek_reply(number)
        if is_first:  # after a cut, what waits for its frame does not come again
            end = float("inf")
            self._audio.take(end)
            self._data.take(end)

    def _on_frame(
        self, message: Received, stream: StreamInfo, connection: Connection, number: int
    ) -> None:
        """Passes on a frame of the seek of this number, unless there is another one meanwhile."""
        taken = self._progress.take(message, stream)
        if taken is None:
            return
        message, seconds = taken
        self._retries.reset()
        was_cut, self._is_cut = self._is_cut, False
        captured = connection.clock.own_time(message.captured)
        parts = (stream, message.payload, message.timestamp, seconds, captured)
        description = self._progress.description
        if stream.type == "audio":
            if len(message.payload) % (sample_size(stream) or 1) != 0:
                raise invalid(f"{len(message.payload)} bytes of PCM, expected whole samples")
            self._audio.add(Audio(*parts))
        elif stream.type == "data":
            self._data.add(Message(*parts))
        if description is None or stream.type != description.leading:
            self._is_cut = was_cut
            return
        is_interrupted = was_cut or bool(message.flags & wire.DISCONTINUITY)
        frame = Frame(
            *parts,
            keyframe=bool(message.flags & wire.KEYFRAME),
            dropped_before=bool(message.flags & wire.DROPPED) or (
                self._progress.is_live and is_interrupted
            ),
        )
        frame.audio = self._audio.take(float("inf"))
        frame.data = self._data.take(seconds + float(stream.time_base) / 2)
        while not self.queue.put(frame, number, KEEP_ALIVE):
            with self._lock:
                self._send_pause()
            with suppress(ConnectionLost):  # the next message tells; this frame is not to be lost
                connection.keep_alive()

    def _on_notice(self, fields: Dict[str, Any]) -> None:
        code = wire.text_of(fields, "code", "?")
        if code == "dropped":
            self._on_dropped(fields)
        others = {key: value for key, value in fields.items() if key not in ("code", "message")}
        self.notices.append(Notice(code, wire.text_of(fields, "message"), others))

    def _on_dropped(self, fields: Dict[str, Any]) -> None:
        dropped = fields.get("dropped")
        if type(dropped) is int and dropped >= 0:
            self._dropped = (self._dropped[0], max(self._dropped[1], dropped))

    def _on_end(self, fields: Dict[str, Any], counts: Dict[int, Tuple[int, int]]) -> None:
        self._on_dropped(fields)
        if fields.get("reason") == "shutdown":
            raise ConnectionLost(f"Connection to {self._server.address} lost: it was shut down")
        if "warning" in fields:
            self._add_notice("warning", wire.text_of(fields, "warning"))
        check_totals(fields, counts, "arrived", "sent")

    def _wait_to_retry(self, error: StreamError) -> None:
        """Waits until the next attempt is due, or raises."""
        progress = self._progress
        may_come = progress.is_live or self._retries.is_asked_for and not self._was_connected
        is_awaited = may_come and error.code in ("media_error", "not_found")
        is_transient = isinstance(error, ConnectionLost) or error.code == "busy" or is_awaited
        if not is_transient or not progress.is_resumable:
            raise error
        delay = self._retries.next_delay(error, self._was_connected)
        self._is_cut = self._was_connected
        text = f"{error}; trying again in {delay:.0f} s"
        self._add_notice("lost", text)
        logger.warning("%s", text)
        self._is_closed.wait(delay)

    def _add_notice(self, code: str, message: str) -> None:
        self.notices.append(Notice(code, message))

    def _send_pause(self) -> None:
        """Has the server pause or go on, if that is not what it does."""
        is_paused = self._is_paused or self.queue.is_stalled
        if is_paused != self._is_pause_sent and self._connection is not None:
            self._is_pause_sent = is_paused
            self._send(action="pause" if is_paused else "resume")

    def _send(self, **control: Any) -> None:
        """Sends a control. If the connection is lost, receiving tells it."""
        if self._connection is not None:
            with suppress(ConnectionLost):
                self._connection.send_json(wire.CONTROL, **control)
