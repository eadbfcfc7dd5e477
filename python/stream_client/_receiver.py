"""Receives a response in a thread of its own, over as many connections as it takes."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Deque, Dict, Mapping, Optional, Tuple

from . import _wire as wire
from ._buffers import BufferPool
from ._connection import Connection, Message
from ._description import Description, StreamInfo, parse_description
from ._errors import ConnectionLost, StreamError, invalid, printable
from ._frame import Audio, Frame, raw_size
from ._frame import Message as DataMessage
from ._progress import Progress
from ._queue import Companions, FrameQueue
from ._retry import Retries
from ._transport import Server

KEEP_ALIVE = 5.0
"""Seconds without room for a frame after which the server is told, and asked to pause."""

MAX_NOTICES = 100

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
        self.notices: Deque[Notice] = deque(maxlen=MAX_NOTICES)
        self.dropped = 0
        """Frames that the server dropped."""
        self._server = server
        self._progress = Progress(request)
        self._retries = retries
        self._pool = BufferPool()
        self._companions = Companions()
        self._state = threading.Condition()
        self._controls = threading.Lock()
        self._connection: Optional[Connection] = None
        self._is_closed = threading.Event()
        self._is_paused = False
        self._is_pause_sent = False
        self._was_connected = False
        self._is_cut = False
        self._is_running = False
        self._finished = 0
        """Number of the seek after which the end was reached."""
        self._thread = threading.Thread()

    def start(self) -> None:
        """Starts to receive, from the latest seek on."""
        self._is_running = True
        self._thread = threading.Thread(target=self._run, name="stream_client", daemon=True)
        self._thread.start()

    def wait_described(self) -> Description:
        """Waits for the description.

        Raises:
            StreamError: if there will be none
        """
        with self._state:
            self._state.wait_for(lambda: self._progress.description or self.queue.is_over)
        if self._progress.description is None:
            self.queue.take(0)
            raise ConnectionLost("the stream was closed")
        return self._progress.description

    @property
    def description(self) -> Description:
        """The latest description."""
        return self.wait_described()

    def pause(self, is_paused: bool) -> None:
        """Asks the server to pause or to resume."""
        self._is_paused = is_paused
        self._send_pause()

    def seek(self, to: float) -> None:
        """Goes to a time in seconds; frames from before it are no longer handed out."""
        with self._controls:
            self._progress.on_seek(to)
            number = self._progress.seek_number
            self.queue.seek(number)
            self._send(action="seek", to=to, id=number)
            if self._is_running:
                return
            self.start()

    def on_taken(self) -> None:
        """Has the server go on when the loop does."""
        if self._is_pause_sent and not self._is_paused and not self.queue.is_stalled:
            self._send_pause()

    def close(self, wait: bool = True) -> None:
        """Ends the response. Harmless when it is over."""
        self._is_closed.set()
        self.queue.finish()
        connection = self._connection
        if connection is not None:
            connection.shut_down()
        thread = self._thread
        if wait and thread.is_alive() and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while True:
            error = self._receive_until_over()
            with self._controls:
                is_over = error is not None or self._is_closed.is_set()
                if is_over or self._progress.seek_number == self._finished:
                    self._is_running = False
                    self.queue.rest.extend(self._companions.clear())
                    self.queue.finish(error)
                    break
        with self._state:
            self._state.notify_all()

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
        except Exception as failure:  # also a fault of ours must not leave the loop waiting
            return failure
        return None

    def _receive_once(self) -> bool:
        """Receives over one connection; true if the response is over."""
        connection = Connection(self._server, self._pool)
        try:
            with self._controls:
                if self._is_closed.is_set():
                    return True
                self._connection = connection
                self._is_pause_sent = False
                connection.ping()  # its answer is here before the first frame
                request, seek = self._progress.next_request(), self._progress.next_seek()
                connection.send(wire.encode_request("get_video", self._server.token, request))
                if seek is not None:
                    connection.send_json(wire.CONTROL, **seek)
            self._send_pause()
            return self._receive_all(connection)
        finally:
            with self._controls:
                self._connection = None
                connection.close()

    def _receive_all(self, connection: Connection) -> bool:
        counts: Dict[int, Tuple[int, int]] = {}
        streams: Dict[int, StreamInfo] = {}
        asked = self._progress.seek_number
        answered: Optional[int] = None if asked > 0 else 0
        while True:
            message = connection.receive()
            if message.kind == wire.FRAME:
                frames, size = counts.get(message.stream, (0, 0))
                counts[message.stream] = (frames + 1, size + len(message.payload))
                if answered == self._progress.seek_number:
                    self._on_frame(message, streams[message.stream], connection)
                if self._progress.is_live:
                    connection.ping()
            elif message.kind == wire.DESCRIBE:
                description = parse_description(message.payload)
                self._progress.describe(description, is_further=bool(streams))
                streams = {stream.id: stream for stream in description.streams}
                connection.sizes = {number: raw_size(info) for number, info in streams.items()}
                self._on_described(description)
            elif message.kind == wire.CONTROL:
                fields = wire.parse_json(message.payload, "control")
                with self._controls:
                    self._progress.on_seek_reply(fields.get("id"))
                answered = fields["id"] if isinstance(fields.get("id"), int) else answered
                self._companions.clear()
            elif message.kind == wire.NOTICE:
                self._on_notice(wire.parse_json(message.payload, "notice"))
            elif message.kind == wire.END and streams:
                self._on_end(wire.parse_json(message.payload, "end"), counts)
                # A seek that came too late for this connection is asked for on another.
                with self._controls:
                    self._finished = self._progress.seek_number
                return self._finished in (asked, answered)
            else:
                raise invalid(f"a message of kind {message.kind} is unexpected here")

    def _on_described(self, description: Description) -> None:
        for note in description.notes:
            self._note("note", note)
        if self._is_cut:
            self._note("back", "Connected again")
            logger.warning("Connected again to %s", self._server.address)
        self._was_connected = True
        with self._state:
            self._state.notify_all()

    def _on_frame(self, message: Message, stream: StreamInfo, connection: Connection) -> None:
        number = self._progress.seek_number
        seconds = self._progress.take(message, stream)
        if seconds is None:
            return
        self._retries.reset()
        was_cut, self._is_cut = self._is_cut, False
        captured = connection.clock.own_time(message.captured)
        parts = (stream, message.payload, message.timestamp, seconds, captured)
        has_video = self._progress.description is not None and (
            self._progress.description.first("video") is not None
        )
        if stream.type == "audio":
            self._companions.add_audio(Audio(*parts))
        elif stream.type == "data":
            self._companions.add_message(DataMessage(*parts))
        if stream.type != "video" and has_video:
            return
        is_live = self._progress.is_live
        frame = Frame(
            *parts,
            keyframe=bool(message.flags & wire.KEYFRAME),
            dropped_before=bool(message.flags & wire.DROPPED) or is_live and (
                was_cut or bool(message.flags & wire.DISCONTINUITY)
            ),
        )
        self._companions.attach_to(frame)
        while not self.queue.put(frame, number, KEEP_ALIVE):
            connection.keep_alive()
            self.queue.is_stalled = True
            self._send_pause()

    def _on_notice(self, fields: Dict[str, Any]) -> None:
        code = wire.text_of(fields, "code", "?")
        dropped = fields.get("dropped")
        if code == "dropped" and type(dropped) is int and dropped >= 0:
            self.dropped = dropped
        others = {key: value for key, value in fields.items() if key not in ("code", "message")}
        self.notices.append(Notice(code, wire.text_of(fields, "message"), others))

    def _on_end(self, fields: Dict[str, Any], counts: Dict[int, Tuple[int, int]]) -> None:
        if fields.get("reason") == "shutdown":
            raise ConnectionLost("the server was shut down")
        if "warning" in fields:
            self._note("warning", wire.text_of(fields, "warning"))
        entries = fields.get("streams")
        if not isinstance(entries, list):
            return
        sent: Dict[int, Tuple[Any, Any]] = {}
        for entry in entries:
            number = entry.get("id") if isinstance(entry, dict) else None
            if not isinstance(number, int):
                raise invalid("the end has totals of no stream")
            sent[number] = (entry.get("frames"), entry.get("bytes"))
        for number in {*sent, *counts}:
            frames, size = counts.get(number, (0, 0))
            said = sent.get(number, (0, 0))
            if (frames, size) != said:
                raise invalid(
                    f"{frames} frames of {size} bytes arrived of stream {number}, and it sent"
                    f" {printable(said[0])} of {printable(said[1])}"
                )
        total = sum(size for _, size in counts.values())
        if fields.get("bytes") != total:
            raise invalid(f"{total} bytes arrived, and it sent {printable(fields.get('bytes'))}")

    def _wait_to_retry(self, error: StreamError) -> None:
        """Waits until the next attempt is due, or raises."""
        progress = self._progress
        is_awaited = progress.is_live and error.code in ("media_error", "not_found")
        is_transient = isinstance(error, ConnectionLost) or error.code == "busy" or is_awaited
        if not is_transient or not progress.is_resumable:
            raise error
        delay = self._retries.next_delay(error, self._was_connected)
        self._is_cut = self._was_connected
        text = f"{error}; trying again in {delay:.0f} s"
        self._note("lost", text)
        logger.warning("%s", text)
        self._is_closed.wait(delay)

    def _note(self, code: str, message: str) -> None:
        self.notices.append(Notice(code, message))

    def _send_pause(self) -> None:
        with self._controls:
            is_paused = self._is_paused or self.queue.is_stalled
            if is_paused != self._is_pause_sent and self._connection is not None:
                self._is_pause_sent = is_paused
                self._send(action="pause" if is_paused else "resume")

    def _send(self, **control: Any) -> None:
        """Sends a control. If the connection is lost, receiving tells it."""
        if self._connection is not None:
            try:
                self._connection.send_json(wire.CONTROL, **control)
            except ConnectionLost:
                pass
