#!/usr/bin/env python3
"""An example client of the native protocol, see PROTOCOL.md.

    python3 client.py list
    python3 client.py raw video.mp4 --pixel-format bgr24 --output video.raw
    python3 client.py seek video.mp4 5 2.5 8
    python3 client.py live camera --frames 50
    python3 client.py data camera/objects

Needs only Python 3.9. The exit code is 0 if the response was complete, otherwise 1.
"""

import argparse
import hashlib
import json
import math
import os
import socket
import struct
import sys
import time
from fractions import Fraction
from typing import NamedTuple, Optional

HEADER = struct.Struct("<IBBHq")  # length, kind, flags, stream id, timestamp
CAPTURE_TIME = struct.Struct("<q")  # at the beginning of the payload of a live frame
REQUEST, DESCRIBE, FRAME, END, ERROR, CONTROL, LIST, PING, PONG, NOTICE = range(1, 11)
SMALL, LARGE = 64 << 10, 16 << 20
LIMITS = {DESCRIBE: LARGE, FRAME: (1 << 28) - 12, END: SMALL, ERROR: SMALL, CONTROL: SMALL,
          LIST: LARGE, PING: SMALL, PONG: SMALL, NOTICE: SMALL}
DISCONTINUITY, LIVE = 4, 8  # flags of a frame
COUNTED = {"video": "frames", "audio": "audioFrames"}  # fields of the end
IDLE_TIMEOUT = 15  # seconds without a byte after which the connection counts as lost


class Failure(Exception):
    """The response is incomplete: refused, cut, or invalid."""


# Errors that parsing an invalid describe or end raises.
INVALID = (Failure, ArithmeticError, AttributeError, KeyError, RecursionError, TypeError,
           ValueError, struct.error)


def now() -> int:
    """The time in microseconds since 1970."""
    return time.time_ns() // 1000


def printable(text: object) -> str:
    """Text from the server on one line, without control characters."""
    return str(text) if str(text).isprintable() else json.dumps(str(text))


def parse(payload: memoryview) -> dict:
    """Parses a payload as a JSON object."""
    value = json.loads(str(payload, "utf-8"))
    if not isinstance(value, dict):
        raise Failure("a payload is not a JSON object")
    return value


class Connection:
    """Messages to and from a server. Replies to pings and prints notices."""

    def __init__(self, connected: socket.socket):
        self.socket = connected

    def send(self, kind: int, payload: bytes, timestamp: int = 0) -> None:
        """Sends one message."""
        self.socket.sendall(HEADER.pack(12 + len(payload), kind, 0, 0, timestamp) + payload)

    def send_json(self, kind: int, **fields: object) -> None:
        """Sends a request or a control; fields that are None are omitted."""
        given = {name: value for name, value in fields.items() if value is not None}
        self.send(kind, json.dumps(given).encode())

    def receive(self, *expected: int) -> tuple:
        """The next message of an expected kind: kind, flags, stream id, timestamp, payload."""
        while True:
            length, kind, flags, stream, timestamp = HEADER.unpack(self._read(HEADER.size))
            if kind not in LIMITS or not 0 <= length - 12 <= LIMITS[kind]:
                raise Failure(f"a message has kind {kind} and length {length}, which is invalid")
            payload = self._read(length - 12)
            if kind in expected:
                return kind, flags, stream, timestamp, payload
            if kind == PING:
                self.send(PONG, bytes(payload), now())
            elif kind == NOTICE:  # further codes may be added; the message is for people
                notice = parse(payload)
                code, text = notice.get("code", "?"), notice.get("message", "")
                print(f"notice {printable(code)}: {printable(text)}", file=sys.stderr)
            elif kind == ERROR:
                error = parse(payload)
                raise Failure(f"{printable(error.get('code'))}: {printable(error.get('message'))}")
            else:
                raise Failure(f"a message of kind {kind} is unexpected here")

    def clock_offset(self, rounds: int = 5) -> Optional[int]:
        """Measures the offset of the server's clock in microseconds, by the ping with the shortest
        round trip; None if the server does not send its clock. To be called between responses."""
        trips = []
        for _ in range(rounds):
            sent = now()
            self.send(PING, b"", sent)
            clock = self.receive(PONG)[3]
            arrived = now()
            if clock != 0:
                trips.append((arrived - sent, clock - (sent + arrived) // 2))
        return min(trips)[1] if trips else None

    def _read(self, size: int) -> memoryview:
        view, filled = memoryview(bytearray(size)), 0
        while filled < size:
            count = self.socket.recv_into(view[filled:])
            if count == 0:
                raise Failure("the connection was cut")
            filled += count
        return view


class Frame(NamedTuple("Frame", [("stream", int), ("type", str), ("flags", int),
                                 ("time", Fraction), ("captured", Optional[int]),
                                 ("data", memoryview)])):
    """One frame: its time in seconds, its capture time if it is live, its bytes."""

    def __str__(self) -> str:
        digest = hashlib.md5(self.data, usedforsecurity=False).hexdigest()
        return f"{self.stream} {self.time} {len(self.data)} {digest}"


class Response:
    """The response to one get_video: a describe, then frames and controls, then an end."""

    def __init__(self, connection: Connection, **request: object):
        self.connection = connection
        connection.send_json(REQUEST, version=1, command="get_video", **request)
        self.description = parse(connection.receive(DESCRIBE)[4])
        self.streams = {stream["id"]: (stream["type"], Fraction(*stream["timeBase"]))
                        for stream in self.description["streams"]}
        for note in self.description.get("notes", []):
            print(f"note: {printable(note)}", file=sys.stderr)
        self.counts = {"frames": 0, "audioFrames": 0, "bytes": 0}
        self.totals = {}  # frames and bytes received of each stream

    def __iter__(self):
        """Yields every Frame, and every control that the server echoes as a dict, up to the end."""
        while True:
            message = self.connection.receive(FRAME, CONTROL, END)
            if message[0] == END:
                return self._end(parse(message[4]))
            yield self._frame(*message[1:]) if message[0] == FRAME else parse(message[4])

    def _frame(self, flags: int, stream: int, timestamp: int, payload: memoryview) -> Frame:
        if stream not in self.streams:
            raise Failure(f"a frame belongs to stream {stream}, which is not in the describe")
        kind, time_base = self.streams[stream]
        if kind in COUNTED:
            self.counts[COUNTED[kind]] += 1
        captured = None
        if flags & LIVE:
            captured, payload = CAPTURE_TIME.unpack_from(payload)[0], payload[CAPTURE_TIME.size:]
        self.counts["bytes"] += len(payload)
        frames, size = self.totals.get(stream, (0, 0))
        self.totals[stream] = frames + 1, size + len(payload)
        return Frame(stream, kind, flags, timestamp * time_base, captured, payload)

    def _end(self, report: dict) -> None:
        names = ("reason", "frames", "audioFrames", "bytes", "dropped")
        print("end", *(f"{name}={printable(report.get(name, 0))}" for name in names))
        if "warning" in report:
            print(f"warning: {printable(report['warning'])}", file=sys.stderr)
        for name, count in self.counts.items():
            if report.get(name, 0) != count:
                raise Failure(f"received {count} {name}, the server sent {report.get(name, 0)}")
        for entry in report.get("streams") or []:
            stream, sent = entry["id"], (entry["frames"], entry["bytes"])
            received = self.totals.get(stream, (0, 0))
            if received != sent:
                raise Failure(f"received %d frames, %d bytes of stream {stream}, " % received +
                              "the server sent %d frames, %d bytes" % sent)


def run_list(connection: Connection, _: argparse.Namespace) -> None:
    """Print the list of the server, one entry per line."""
    connection.send_json(REQUEST, version=1, command="list_media")
    for entry in parse(connection.receive(LIST)[4])["entries"]:
        words = [entry["name"], entry["kind"], entry.get("codec")]
        words += [f"{entry['width']}x{entry['height']}"] if "width" in entry else []
        words += [f"{entry['duration']}s"] if "duration" in entry else []
        words += ["live"] if entry.get("live") else []
        print(*map(printable, filter(None, words)))


def run_raw(connection: Connection, options: argparse.Namespace) -> None:
    """Print a line for each raw frame, and write the video to a file."""
    response = Response(connection, name=options.name, start=options.start,
                        duration=options.duration, speed=options.speed,
                        pixelFormat=options.pixel_format, encoding="raw")
    with open(options.output or os.devnull, "wb") as output:
        for frame in response:
            if isinstance(frame, Frame):
                print(frame)
                if frame.type == "video":
                    output.write(frame.data)


def run_seek(connection: Connection, options: argparse.Namespace) -> None:
    """Play in real time and seek to each time, after a frame from the previous one has arrived."""
    response = Response(connection, name=options.name, encoding="raw", audio=False, speed=1)
    if response.description.get("live"):
        raise Failure("a live source ignores seeks")
    last = len(options.to)
    sent = echoed = 0  # ids of the last seek that was sent, and that was echoed; 0: none
    shown = -1  # the seek whose first frame was printed
    before, after = [0] * (last + 1), [0] * (last + 1)  # frames before and after each echo
    for item in response:
        if isinstance(item, dict):
            if item.get("action") == "seek" and item.get("id") == sent:
                echoed = sent
            continue
        after[echoed] += 1
        if echoed != sent:
            before[sent] += 1  # from before the seek, still arriving after it was sent
        elif shown != echoed:
            shown = echoed
            mark = " discontinuity" if item.flags & DISCONTINUITY else ""
            where = f"seek {echoed} to {options.to[echoed - 1]}" if echoed else "first"
            print(f"{where}: {item}{mark}", flush=True)
            if sent == last:
                connection.send_json(CONTROL, action="stop")
            else:
                sent += 1
                connection.send_json(CONTROL, action="seek", to=options.to[sent - 1], id=sent)
    for seek in range(1, sent + 1):
        print(f"seek {seek}: {before[seek]} frames from before, {after[seek]} from after it")
    if shown != last:
        raise Failure("the video ended before all times were shown")


def run_live(connection: Connection, options: argparse.Namespace) -> None:
    """Print how old each frame of a live source is when it arrives, then stop."""
    offset = connection.clock_offset()
    if offset is None:
        print("the server does not send its clock: latencies may be wrong", file=sys.stderr)
    response, left = Response(connection, name=options.name), options.frames
    for frame in response:
        if isinstance(frame, Frame) and left > 0:  # otherwise a frame that arrives after the stop
            if frame.captured is None:
                raise Failure("not a live source")
            latency = now() + (offset or 0) - frame.captured
            print(f"{frame.stream} {frame.time} {latency / 1000:.1f} ms", flush=True)
            left -= 1
            if left == 0:
                connection.send_json(CONTROL, action="stop")


def run_data(connection: Connection, options: argparse.Namespace) -> None:
    """Print the messages of a live source, a line each, until it ends."""
    response = Response(connection, name=options.name, data="only")
    for frame in response:
        if isinstance(frame, Frame):
            value = json.loads(bytes(frame.data))
            print(frame.stream, frame.time, json.dumps(value, sort_keys=True), flush=True)


def seconds(text: str) -> float:
    """Parses a number from 0 up (seconds or speed) for argparse."""
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(text)
    return value


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--host", default="127.0.0.1")
    common.add_argument("--port", type=int, default=7777)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for run in (run_list, run_raw, run_seek, run_live, run_data):
        made = commands.add_parser(run.__name__[4:], parents=[common], help=run.__doc__)
        made.set_defaults(run=run)
        if run != run_list:
            made.add_argument("name", help="as in the list")
        if run == run_raw:
            made.add_argument("--start", type=seconds)
            made.add_argument("--duration", type=seconds)
            made.add_argument("--speed", type=seconds, default=0,
                              help="1: real time; 0: as fast as possible")
            made.add_argument("--pixel-format", help="such as bgr24; default: that of the source")
            made.add_argument("--output", help="file for the video, as plain rawvideo")
        if run == run_seek:
            made.add_argument("to", type=seconds, nargs="+", help="seconds from the beginning")
        if run == run_live:
            made.add_argument("--frames", type=int, default=10)
    return parser.parse_args()


def main() -> int:
    """Runs one command and returns the exit code."""
    options = arguments()
    try:
        address = (options.host, options.port)
        with socket.create_connection(address, timeout=IDLE_TIMEOUT) as connected:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            options.run(Connection(connected), options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (OSError, *INVALID) as error:
        clear = isinstance(error, (OSError, Failure))  # messages of the others lack context
        print(f"error: {error if clear else repr(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
