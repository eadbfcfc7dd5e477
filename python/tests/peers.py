"""Peers that misbehave as told: a server that follows a script, and a relay that cuts.

The messages are written after docs/PROTOCOL.md, without the package.
"""

import json
import socket
import struct
import threading
import time
from typing import NamedTuple

from .support import HOST, PATIENCE

HEADER = struct.Struct("<IBBHq")

REQUEST, DESCRIBE, FRAME, END, ERROR, CONTROL, LIST, PING, PONG, NOTICE, ACCEPT = range(1, 12)

KEYFRAME, DROPPED, DISCONTINUITY, LIVE = 1, 2, 4, 8

GREY = {
    "id": 0, "type": "video", "codec": "rawvideo", "fourcc": "Y800", "timeBase": [1, 25],
    "extradata": "", "width": 4, "height": 2, "pixelFormat": "gray", "frameRate": [25, 1],
}
"""A stream of pictures of eight bytes."""

JSON_DATA = {"id": 7, "type": "data", "codec": "json", "fourcc": "", "timeBase": [1, 1000]}

SOUND = {
    "id": 1, "type": "audio", "codec": "pcm_s16le", "fourcc": "PSD\x10", "timeBase": [1, 8000],
    "extradata": "", "sampleRate": 8000, "channels": 1,
}


def message(kind, payload=b"", *, flags=0, stream=0, timestamp=0, length=None):
    """A message; ``length`` may be a lie."""
    if isinstance(payload, (dict, list)):
        payload = json.dumps(payload).encode()
    size = 12 + len(payload) if length is None else length
    return HEADER.pack(size, kind, flags, stream, timestamp) + payload


def describe(*streams, **fields):
    """A describe."""
    return message(DESCRIBE, {"version": 1, "name": "grey", "live": False, **fields,
                              "streams": list(streams)})


def frame(number, *, captured=None, flags=KEYFRAME, payload=None, **fields):
    """A frame of :data:`GREY` with its number in each byte, or any other one."""
    payload = bytes([number % 256]) * 8 if payload is None else payload
    if captured is not None:
        flags, payload = flags | LIVE, struct.pack("<q", captured) + payload
    return message(FRAME, payload, flags=flags, timestamp=number, **fields)


def end(*streams, reason="end"):
    """An end; each stream is its id, its frames and its bytes."""
    return message(END, {
        "frames": sum(frames for _, frames, _ in streams), "audioFrames": 0,
        "bytes": sum(size for _, _, size in streams), "dropped": 0, "reason": reason,
        "streams": [{"id": id, "frames": frames, "bytes": size} for id, frames, size in streams],
    })


def now():
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class Heard(NamedTuple):
    """A message of the client."""

    kind: int
    stream: int
    payload: bytes

    @property
    def json(self):
        return json.loads(self.payload)


class Peer:
    """The server's end of a connection whose request has come."""

    def __init__(self, connected, clock):
        self.socket = connected
        self.clock = clock
        self.request = self.hear(REQUEST).json

    def send(self, *messages):
        """Writes messages or any other bytes."""
        self.socket.sendall(b"".join(messages))

    def hear(self, *kinds):
        """The next message of some kinds. Answers pings before it, and skips everything else.

        Raises:
            EOFError: if the client is gone
        """
        while True:
            length, found, _, stream, _ = HEADER.unpack(self._read(HEADER.size))
            payload = self._read(length - 12)
            if found == PING:
                self.send(message(PONG, payload, timestamp=self.clock()))
            if found in kinds:
                return Heard(found, stream, payload)

    def answer_seek(self):
        """Waits for a seek, echoes it, and gives its time."""
        while True:
            heard = self.hear(CONTROL)
            if heard.json["action"] == "seek":
                self.send(message(CONTROL, heard.payload))
                return heard.json["to"]

    def accept(self):
        """Accepts a publisher."""
        self.send(message(ACCEPT, {"name": self.request["name"], "watched": True}))

    def take_published(self, taken):
        """Notes what a publisher sends, stream ids and payloads, until its end, and confirms it."""
        first = len(taken)
        while True:
            heard = self.hear(FRAME, END)
            if heard.kind == END:
                break
            taken.append((heard.stream, heard.payload[8:]))  # without the capture time
        own = taken[first:]
        sizes = {id: [len(part) for other, part in own if other == id] for id, _ in own}
        self.send(end(*((id, len(each), sum(each)) for id, each in sizes.items())))

    def sync(self):
        """Waits until the client has received and queued all that was sent."""
        token = f"sync {time.monotonic_ns()}".encode()
        self.send(message(PING, token))
        while self.hear(PONG).payload != token:
            pass

    def wait_closed(self):
        """Waits until the client is gone; answers pings meanwhile."""
        try:
            while True:
                self.hear(PING)
        except (EOFError, OSError):
            pass

    def _read(self, size):
        parts = bytearray()
        while len(parts) < size:
            part = self.socket.recv(size - len(parts))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)


class Listener:
    """Accepts connections in a thread until the end of the test."""

    def __init__(self, test):
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        """Connections so far."""
        self._is_closing = False
        self._faults = []
        self._open = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        test.addCleanup(self.close)

    def serve(self, connected, index):
        """Has a conversation; to be defined."""
        raise NotImplementedError

    def cut(self):
        """Cuts all connections."""
        with self._lock:
            for each in self._open:
                _shut_down(each)

    def close(self):
        """Cuts everything and waits; twice is harmless.

        Raises:
            what a conversation raised, unless the connection was lost
        """
        if self._is_closing:
            return
        self._is_closing = True
        self.cut()
        with socket.create_connection((HOST, self.port)):
            self._thread.join(PATIENCE)
        self._listener.close()
        if self._faults:
            raise self._faults[0]

    def keep(self, connected):
        """Has :meth:`cut` know a connection."""
        with self._lock:
            self._open.add(connected)
        return connected

    def forget(self, connected):
        """Closes a connection."""
        with self._lock:
            self._open.discard(connected)
        connected.close()

    def _accept(self):
        while True:
            connected, _ = self._listener.accept()
            if self._is_closing:
                connected.close()
                return
            self.keep(connected)
            index = self.connections
            self.connections += 1
            try:
                self.serve(connected, index)
            except (OSError, EOFError):
                pass  # the client is gone
            except BaseException as fault:
                self._faults.append(fault)
            finally:
                self.forget(connected)


class ScriptedServer(Listener):
    """Has a script answer each request. The connection is closed at the end of the script.

    Args:
        script: called with a :class:`Peer` and the number of connections before
        clock: gives the timestamps of its pongs
        context: for TLS
    """

    def __init__(self, test, script, clock=now, context=None):
        self._script = script
        self._clock = clock
        self._context = context
        super().__init__(test)

    def serve(self, connected, index):
        if self._context is None:
            self._script(Peer(connected, self._clock), index)
            return
        with self._context.wrap_socket(connected, server_side=True) as encrypted:
            self._script(Peer(encrypted, self._clock), index)


class Relay(Listener):
    """Forwards connections to a server, and cuts each after some bytes of the server.

    Args:
        target: port of the server; may be changed
        cuts: after how many bytes the first connection is cut, the second, and so on
    """

    def __init__(self, test, target, cuts=()):
        self.target = target
        self.cuts = list(cuts)
        self.sent = bytearray()
        """What clients sent so far."""
        self._heard = threading.Condition()
        super().__init__(test)

    def wait_sent(self, part, times=1):
        """Waits until clients have sent some bytes."""
        with self._heard:
            found = self._heard.wait_for(lambda: self.sent.count(part) >= times, PATIENCE)
        if not found:
            raise AssertionError(f"no client sent {part!r} {times} times")

    def serve(self, connected, index):
        limit = self.cuts[index] if index < len(self.cuts) else None
        upstream = self.keep(socket.create_connection((HOST, self.target)))
        forward = threading.Thread(target=self._forward, args=(connected, upstream), daemon=True)
        forward.start()
        try:
            _pump(upstream, connected, limit)
        finally:
            _shut_down(connected)
            _shut_down(upstream)
            forward.join()
            self.forget(upstream)

    def _forward(self, connected, upstream):
        try:
            while True:
                part = connected.recv(65536)
                if not part:
                    break
                with self._heard:
                    self.sent += part
                    self._heard.notify_all()
                upstream.sendall(part)
        except OSError:
            pass
        _shut_down(upstream)


def _pump(source, target, limit):
    left = limit
    while left is None or left > 0:
        part = source.recv(65536 if left is None else min(left, 65536))
        if not part:
            return
        target.sendall(part)
        if left is not None:
            left -= len(part)


def _shut_down(connected):
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it is closed already
