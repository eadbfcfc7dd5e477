#!/usr/bin/env python3
"""An example publisher of the native protocol, see PROTOCOL.md.

    python3 publish.py cam --size 64x48 --pixel-format gray16le --fps 25 < frames.raw
    python3 publish.py cam/objects --messages < objects.jsonl

Reads raw frames, or a JSON value a line, from standard input, and publishes them as a live source
in real time. Needs only Python 3.9. The exit code is 0 if the server received everything.
"""

import argparse
import json
import socket
import struct
import sys
import threading
import time

HEADER = struct.Struct("<IBBHq")  # length, kind, flags, stream id, timestamp
REQUEST, DESCRIBE, FRAME, END, ERROR, CONTROL, LIST, PING, PONG, NOTICE, ACCEPT = range(1, 12)
KEYFRAME, LIVE = 1, 8  # flags of a frame
MILLISECONDS = [1, 1000]

# Bytes per pixel of some formats.
FORMATS = {"gray": 1, "gray16le": 2, "grayf32le": 4, "rgb24": 3, "bgr24": 3, "rgba": 4,
           "bayer_rggb8": 1}


class Failure(Exception):
    """The server refused the source, or did not receive all of it."""


def now() -> int:
    """The time in microseconds since 1970."""
    return time.time_ns() // 1000


class Publisher:
    """A connection that publishes one source. A thread of it answers pings."""

    def __init__(self, address: tuple, name: str, token: str = None, on_demand: bool = False):
        self.socket = socket.create_connection(address)
        self.lock = threading.Lock()  # of writes
        self.watched = threading.Event()  # with on_demand: somebody watches
        self.end = None
        self.error = None
        request = {"version": 1, "command": "publish", "name": name, "token": token,
                   "onDemand": on_demand}
        self._send(REQUEST, json.dumps(request).encode())
        kind, payload = self._receive()
        while kind == PING:
            kind, payload = self._receive()
        if kind != ACCEPT:
            raise Failure(json.loads(payload).get("message", "the server refused"))
        self.reader = threading.Thread(target=self._listen, daemon=True)
        self.reader.start()

    def describe(self, *streams: dict) -> None:
        """Says what follows."""
        self._send(DESCRIBE, json.dumps({"version": 1, "streams": streams}).encode())

    def frame(self, data: bytes, timestamp: int, stream: int = 0) -> None:
        """Sends one frame, captured now; its timestamp is in the stream's time base."""
        captured = struct.pack("<q", now())
        self._send(FRAME, captured + data, KEYFRAME | LIVE, stream, timestamp)

    def finish(self) -> dict:
        """Ends the source. The totals of what the server received."""
        self._send(END, b"{}")
        self.reader.join()
        if self.end is None:
            raise Failure(self.error or "the connection was cut")
        return self.end

    def _send(self, kind: int, payload: bytes, flags: int = 0, stream: int = 0,
              timestamp: int = 0) -> None:
        header = HEADER.pack(12 + len(payload), kind, flags, stream, timestamp)
        with self.lock:
            try:
                self.socket.sendall(header + payload)
            except OSError as error:
                self.error = self.error or str(error)
                raise Failure(self.error) from error

    def _receive(self) -> tuple:
        length, kind, _flags, _stream, _timestamp = HEADER.unpack(self._read(HEADER.size))
        return kind, self._read(length - 12)

    def _read(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = self.socket.recv(size - len(parts))
            if not part:
                raise Failure("the connection was cut")
            parts += part
        return bytes(parts)

    def _listen(self) -> None:
        try:
            while self.end is None:
                kind, payload = self._receive()
                if kind == PING:
                    self._send(PONG, payload, timestamp=now())
                elif kind == CONTROL:
                    action = json.loads(payload).get("action")
                    if action == "resume":
                        self.watched.set()
                    elif action == "pause":
                        self.watched.clear()
                elif kind == ERROR:
                    self.error = json.loads(payload).get("message")
                elif kind == END:
                    self.end = json.loads(payload)
        except (Failure, OSError) as error:
            self.error = self.error or str(error)
            self.watched.set()  # nobody should wait any longer


def video(size: str, pixel_format: str) -> dict:
    """The description of raw video."""
    width, height = map(int, size.split("x"))
    return {"id": 0, "type": "video", "codec": "rawvideo", "timeBase": MILLISECONDS,
            "width": width, "height": height, "pixelFormat": pixel_format}


def publish_frames(publisher: Publisher, options: argparse.Namespace) -> int:
    """Publishes the frames on standard input; returns their number."""
    stream = video(options.size, options.pixel_format)
    size = stream["width"] * stream["height"] * FORMATS[options.pixel_format]
    publisher.describe(stream)
    if options.wait:
        publisher.watched.wait()
    began, count = time.monotonic(), 0
    while len(data := sys.stdin.buffer.read(size)) == size:
        time.sleep(max(0, began + count / options.fps - time.monotonic()))
        publisher.frame(data, round(count * 1000 / options.fps))
        count += 1
    return count


def publish_messages(publisher: Publisher, options: argparse.Namespace) -> int:
    """Publishes the lines on standard input as they come; returns their number."""
    publisher.describe({"id": 0, "type": "data", "codec": "json", "timeBase": MILLISECONDS})
    if options.wait:
        publisher.watched.wait()
    began, count = time.monotonic(), 0
    for line in sys.stdin.buffer:
        publisher.frame(line.strip(), round((time.monotonic() - began) * 1000))
        count += 1
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=7777)
    parser.add_argument("--token")
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--pixel-format", default="bgr24", choices=FORMATS)
    parser.add_argument("--fps", type=float, default=25)
    parser.add_argument("--messages", action="store_true", help="publish JSON values, one a line")
    parser.add_argument("--wait", action="store_true", help="begin when somebody watches")
    options = parser.parse_args()
    try:
        address = (options.host, options.port)
        publisher = Publisher(address, options.name, options.token, options.wait)
        publish = publish_messages if options.messages else publish_frames
        sent = publish(publisher, options)
        received = publisher.finish()["streams"]
        arrived = sum(stream["frames"] for stream in received)
        if arrived != sent:
            raise Failure(f"the server received {arrived} of {sent}")
        print(f"published {sent}")
        return 0
    except (Failure, OSError) as error:
        print(f"Cannot publish {options.name}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
