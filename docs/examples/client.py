#!/usr/bin/env python3
"""An example client of the native wire that PROTOCOL.md describes.

    python3 client.py list
    python3 client.py raw video.mp4 --pixel-format bgr24 --output video.raw
    python3 client.py seek video.mp4 5 2.5 8
    python3 client.py live camera --frames 50

Needs Python 3.9 and nothing else. The exit code is 0 when the answer was whole, 1 when it was not.
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
MOMENT = struct.Struct("<q")  # the moment of capture, at the beginning of a live frame
REQUEST, DESCRIBE, FRAME, END, ERROR, CONTROL, LIST, PING, PONG, NOTICE = range(1, 11)
SMALL, LARGE = 64 << 10, 16 << 20
LIMITS = {DESCRIBE: LARGE, FRAME: (1 << 28) - 12, END: SMALL, ERROR: SMALL, CONTROL: SMALL,
          LIST: LARGE, PING: SMALL, PONG: SMALL, NOTICE: SMALL}
DISCONTINUITY, LIVE = 4, 8  # flags of a frame
SILENCE = 15  # seconds without a byte after which the connection is taken for dead


class Failure(Exception):
    """The answer is not whole: the server refused, the connection was cut, or it makes no sense."""


# What reading a description or report raises where it is not as it should be.
MISUNDERSTOOD = (Failure, ArithmeticError, KeyError, RecursionError, TypeError, ValueError,
                 AttributeError, struct.error)


def now() -> int:
    """The own clock: microseconds since 1970."""
    return time.time_ns() // 1000


def printable(text: object) -> str:
    """Text from the server on one line, and without anything that a terminal would obey."""
    return str(text) if str(text).isprintable() else json.dumps(str(text))


def parse(payload: memoryview) -> dict:
    """The JSON object of a payload."""
    value = json.loads(str(payload, "utf-8"))
    if not isinstance(value, dict):
        raise Failure("a payload is not a JSON object")
    return value


class Connection:
    """Messages to and from a server. Pings are answered and notices printed on the way."""

    def __init__(self, connected: socket.socket):
        self.socket = connected

    def send(self, kind: int, payload: bytes, timestamp: int = 0) -> None:
        """Sends one message."""
        self.socket.sendall(HEADER.pack(12 + len(payload), kind, 0, 0, timestamp) + payload)

    def send_json(self, kind: int, **fields: object) -> None:
        """Sends a request or a control; fields that are None are left out."""
        given = {name: value for name, value in fields.items() if value is not None}
        self.send(kind, json.dumps(given).encode())

    def receive(self, *expected: int) -> tuple:
        """The next message of the expected kinds: kind, flags, stream id, timestamp, payload."""
        while True:
            length, kind, flags, stream, timestamp = HEADER.unpack(self._read(HEADER.size))
            if kind not in LIMITS or not 0 <= length - 12 <= LIMITS[kind]:
                raise Failure(f"a message of kind {kind} and length {length}, which cannot be")
            payload = self._read(length - 12)
            if kind in expected:
                return kind, flags, stream, timestamp, payload
            if kind == PING:
                self.send(PONG, bytes(payload), now())
            elif kind == NOTICE:  # the list of codes may grow; the message is always for people
                notice = parse(payload)
                code, text = notice.get("code", "?"), notice.get("message", "")
                print(f"notice {printable(code)}: {printable(text)}", file=sys.stderr)
            elif kind == ERROR:
                error = parse(payload)
                raise Failure(f"{printable(error.get('code'))}: {printable(error.get('message'))}")
            else:
                raise Failure(f"a message of kind {kind} where none belongs")

    def clock_offset(self, rounds: int = 5) -> Optional[int]:
        """By how many microseconds the server's clock is ahead, from the quickest of some pings;
        None when the server does not tell its clock. To be called between answers."""
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


class Frame(NamedTuple("Frame", [("stream", int), ("picture", bool), ("flags", int),
                                 ("time", Fraction), ("captured", Optional[int]),
                                 ("data", memoryview)])):
    """One frame: its time in seconds, its moment of capture where it is live, its bytes."""

    def __str__(self) -> str:
        digest = hashlib.md5(self.data, usedforsecurity=False).hexdigest()
        return f"{self.stream} {self.time} {len(self.data)} {digest}"


class Answer:
    """The answer to one get_video: a description, then frames and controls, then a report."""

    def __init__(self, connection: Connection, **request: object):
        self.connection = connection
        connection.send_json(REQUEST, version=1, command="get_video", **request)
        self.description = parse(connection.receive(DESCRIBE)[4])
        self.streams = {stream["id"]: (stream["type"] == "video", Fraction(*stream["timeBase"]))
                        for stream in self.description["streams"]}
        for note in self.description.get("notes", []):
            print(f"note: {printable(note)}", file=sys.stderr)
        self.counts = {"frames": 0, "audioFrames": 0, "bytes": 0}
        self.receipt = {}  # what came of each stream: frames, bytes

    def __iter__(self):
        """Every Frame, and every control that the server sends back as a dict, up to the end."""
        while True:
            message = self.connection.receive(FRAME, CONTROL, END)
            if message[0] == END:
                return self._end(parse(message[4]))
            yield self._frame(*message[1:]) if message[0] == FRAME else parse(message[4])

    def _frame(self, flags: int, stream: int, timestamp: int, payload: memoryview) -> Frame:
        if stream not in self.streams:
            raise Failure(f"a frame of the stream {stream}, which was not described")
        picture, base = self.streams[stream]
        self.counts["frames" if picture else "audioFrames"] += 1
        captured = None
        if flags & LIVE:
            captured, payload = MOMENT.unpack_from(payload)[0], payload[MOMENT.size:]
        self.counts["bytes"] += len(payload)
        frames, size = self.receipt.get(stream, (0, 0))
        self.receipt[stream] = frames + 1, size + len(payload)
        return Frame(stream, picture, flags, timestamp * base, captured, payload)

    def _end(self, report: dict) -> None:
        names = ("reason", "frames", "audioFrames", "bytes", "dropped")
        print("end", *(f"{name}={printable(report.get(name, 0))}" for name in names))
        if "warning" in report:
            print(f"warning: {printable(report['warning'])}", file=sys.stderr)
        for name, count in self.counts.items():
            if report.get(name, 0) != count:
                raise Failure(f"{count} {name} came, the server counts {report.get(name, 0)}")
        for entry in report.get("streams") or []:
            stream, sent = entry["id"], (entry["frames"], entry["bytes"])
            came = self.receipt.get(stream, (0, 0))
            if came != sent:
                raise Failure("%d frames of %d bytes" % came + f" of stream {stream} came, "
                              "the server counts %d of %d bytes" % sent)


def run_list(connection: Connection, _: argparse.Namespace) -> None:
    """Print what the server has, one entry a line."""
    connection.send_json(REQUEST, version=1, command="list_media")
    for entry in parse(connection.receive(LIST)[4])["entries"]:
        words = [entry["name"], entry["kind"], entry.get("codec")]
        words += [f"{entry['width']}x{entry['height']}"] if "width" in entry else []
        words += [f"{entry['duration']}s"] if "duration" in entry else []
        words += ["live"] if entry.get("live") else []
        print(*map(printable, filter(None, words)))


def run_raw(connection: Connection, options: argparse.Namespace) -> None:
    """Print a line for each raw frame, and write the pictures to a file."""
    answer = Answer(connection, name=options.name, start=options.start, duration=options.duration,
                    speed=options.speed, pixelFormat=options.pixel_format, encoding="raw")
    with open(options.output or os.devnull, "wb") as output:
        for frame in answer:
            if isinstance(frame, Frame):
                print(frame)
                if frame.picture:
                    output.write(frame.data)


def run_seek(connection: Connection, options: argparse.Namespace) -> None:
    """Play in real time and go to each moment, once a picture of the one before has come."""
    answer = Answer(connection, name=options.name, encoding="raw", audio=False, speed=1)
    if answer.description.get("live"):
        raise Failure("a live source ignores seeks")
    last = len(options.to)
    sent = place = 0  # the ids of the newest seek that was sent, and that was answered; 0: none
    shown = -1  # the place whose first picture was printed
    before, after = [0] * (last + 1), [0] * (last + 1)  # frames on both sides of each answer
    for item in answer:
        if isinstance(item, dict):
            if item.get("action") == "seek" and item.get("id") == sent:
                place = sent
            continue
        after[place] += 1
        if place != sent:
            before[sent] += 1  # of the old place: it was under way when the seek was sent
        elif shown != place:
            shown = place
            mark = " discontinuity" if item.flags & DISCONTINUITY else ""
            where = f"seek {place} to {options.to[place - 1]}" if place else "first"
            print(f"{where}: {item}{mark}", flush=True)
            if sent == last:
                connection.send_json(CONTROL, action="stop")
            else:
                sent += 1
                connection.send_json(CONTROL, action="seek", to=options.to[sent - 1], id=sent)
    for seek in range(1, sent + 1):
        print(f"seek {seek}: {before[seek]} frames from before, {after[seek]} from after it")
    if shown != last:
        raise Failure("the video ended before all places were seen")


def run_live(connection: Connection, options: argparse.Namespace) -> None:
    """Print how old each frame of a live source is when it arrives, then stop."""
    offset = connection.clock_offset()
    if offset is None:
        print("the server does not tell its clock: latencies may be off", file=sys.stderr)
    answer, left = Answer(connection, name=options.name), options.frames
    for frame in answer:
        if isinstance(frame, Frame) and left > 0:  # else: what was under way at the stop
            if frame.captured is None:
                raise Failure("not a live source")
            latency = now() + (offset or 0) - frame.captured
            print(f"{frame.stream} {frame.time} {latency / 1000:.1f} ms", flush=True)
            left -= 1
            if left == 0:
                connection.send_json(CONTROL, action="stop")


def seconds(text: str) -> float:
    """A number of seconds from 0 up, or a speed, for argparse."""
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(text)
    return value


def arguments() -> argparse.Namespace:
    """The command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--host", default="127.0.0.1")
    common.add_argument("--port", type=int, default=7777)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for run in (run_list, run_raw, run_seek, run_live):
        made = commands.add_parser(run.__name__[4:], parents=[common], help=run.__doc__)
        made.set_defaults(run=run)
        if run != run_list:
            made.add_argument("name", help="as in the list")
        if run == run_raw:
            made.add_argument("--start", type=seconds)
            made.add_argument("--duration", type=seconds)
            made.add_argument("--speed", type=seconds, default=0, help="1: real time; 0: no wait")
            made.add_argument("--pixel-format", help="such as bgr24; else the source's own")
            made.add_argument("--output", help="the file for the pictures, as plain rawvideo")
        if run == run_seek:
            made.add_argument("to", type=seconds, nargs="+", help="seconds from the beginning")
        if run == run_live:
            made.add_argument("--frames", type=int, default=10)
    return parser.parse_args()


def main() -> int:
    """Runs one command and gives the exit code."""
    options = arguments()
    try:
        with socket.create_connection((options.host, options.port), timeout=SILENCE) as connected:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            options.run(Connection(connected), options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (OSError, *MISUNDERSTOOD) as error:
        clear = isinstance(error, (OSError, Failure))  # the others only name what they stumbled on
        print(f"error: {error if clear else repr(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
