"""The messages of the native protocol as pure functions, see docs/PROTOCOL.md.

A message is a header of 16 bytes, little-endian, and a payload:
``length u32 | kind u8 | flags u8 | stream id u16 | timestamp i64 | payload``.
``length`` is 12 plus the bytes of the payload. The payload of a live frame begins with its capture
time, 8 bytes.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Dict, NamedTuple, Optional, Union

from .._errors import invalid, printable

Bytes = Union[bytes, bytearray, memoryview]
"""What a payload may be."""

HEADER = struct.Struct("<IBBHq")
CAPTURE_TIME = struct.Struct("<q")

DEFAULT_PORT = 7777
VERSION = 1

REQUEST, DESCRIBE, FRAME, END, ERROR, CONTROL, LIST, PING, PONG, NOTICE, ACCEPT = range(1, 12)

COUNTED = 12
"""Bytes of the header that ``length`` includes."""

SMALL, LARGE = 64 << 10, 16 << 20

LIMITS = {
    REQUEST: SMALL, DESCRIBE: LARGE, FRAME: (1 << 28) - COUNTED, END: SMALL, ERROR: SMALL,
    CONTROL: SMALL, LIST: LARGE, PING: SMALL, PONG: SMALL, NOTICE: SMALL, ACCEPT: SMALL,
}
"""Bytes of the largest payload of each kind."""

KEYFRAME, DROPPED, DISCONTINUITY, LIVE = 1, 2, 4, 8
"""Flags of a frame."""

MAX_TIME = 2**53
"""Timestamps are below it."""


class Header(NamedTuple):
    """The header of a message."""

    kind: int
    flags: int
    stream: int
    timestamp: int
    """Of a frame, ticks of its stream; of a ping or pong, microseconds since 1970 or 0."""
    size: int
    """Bytes of the payload."""


def parse_header(data: Bytes) -> Header:
    """Parses 16 bytes.

    Raises:
        StreamError: for an unknown kind, a length out of bounds or a timestamp past 2^53

    >>> parse_header(encode(PING, b"hi")[:16]).size
    2
    """
    length, kind, flags, stream, timestamp = HEADER.unpack(data)
    if kind not in LIMITS:
        raise invalid(f"a message of kind {kind}, expected 1 to {ACCEPT}; is that stream-server?")
    size = length - COUNTED
    least = CAPTURE_TIME.size if kind == FRAME and flags & LIVE else 0
    if not least <= size <= LIMITS[kind]:
        raise invalid(
            f"a message of kind {kind} with {size} bytes, expected {least} to {LIMITS[kind]}"
        )
    if abs(timestamp) >= MAX_TIME:
        raise invalid(f"timestamp {timestamp}, expected below 2^53")
    return Header(kind, flags, stream, timestamp, size)


def encode_header(
    kind: int, size: int, flags: int = 0, stream: int = 0, timestamp: int = 0
) -> bytes:
    """The header of a message whose payload has ``size`` bytes."""
    return HEADER.pack(COUNTED + size, kind, flags, stream, timestamp)


def encode(kind: int, payload: Bytes, timestamp: int = 0) -> bytes:
    """A message other than a frame."""
    return encode_header(kind, len(payload), timestamp=timestamp) + bytes(payload)


def encode_json(kind: int, fields: Dict[str, Any]) -> bytes:
    """A message with a JSON object; fields that are ``None`` are left out."""
    given = {name: value for name, value in fields.items() if value is not None}
    return encode(kind, encode_value(given))


def encode_request(command: str, token: Optional[str], fields: Dict[str, Any]) -> bytes:
    """A request."""
    return encode_json(
        REQUEST, {"version": VERSION, "command": command, "token": token, **fields}
    )


def parse_json(payload: Bytes, what: str) -> Dict[str, Any]:
    """Parses a payload that has to be a JSON object.

    Raises:
        StreamError: if it is anything else
    """
    try:
        value = json.loads(bytes(payload).decode())
    except (ValueError, RecursionError) as error:
        raise invalid(f"the {what} is no JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise invalid(f"the {what} is no JSON object")
    return value


def text_of(fields: Dict[str, Any], name: str, default: str = "") -> str:
    """A text from a JSON object, printable; ``default`` if there is none."""
    value = fields.get(name)
    return printable(value) if isinstance(value, str) else default


def encode_value(value: Any) -> bytes:
    """A JSON value in UTF-8; arrays become lists.

    Raises:
        TypeError, ValueError: if it is none
    """
    try:
        return json.dumps(
            value, allow_nan=False, separators=(",", ":"), default=_from_array
        ).encode()
    except RecursionError as error:
        raise ValueError("Cannot write a value as JSON: it is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"Cannot write a value as JSON: {error}") from error


def _from_array(value: Any) -> Any:
    """Lists and numbers from numpy's arrays and numbers."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(
        f"Cannot write {type(value).__name__} as JSON: expected a dict, list, text, number, bool,"
        " None or numpy array"
    )
