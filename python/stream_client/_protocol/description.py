"""What a response says of itself before its frames."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Dict, List, Optional, Tuple

from .._errors import invalid, printable
from .wire import Bytes, parse_json, text_of

MAX_STREAMS = 64
"""Streams of a description that are read."""

MAX_NOTES = 16

WORD = re.compile(r"[\w.-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class StreamInfo:
    """One stream of a response. Fields that do not apply, or are unknown, are ``None``."""

    id: int
    type: str
    """``video``, ``audio`` or ``data``."""
    codec: str
    """FFmpeg's name, such as ``rawvideo``, ``mjpeg``, ``h264`` or ``pcm_s16le``; of data streams
    ``json``, ``bytes`` or ``subtitle``."""
    time_base: Fraction
    """Seconds per tick of ``pts``."""
    width: Optional[int] = None
    """Pixels."""
    height: Optional[int] = None
    """Pixels."""
    pixel_format: Optional[str] = None
    """FFmpeg's name, such as ``bgr24``."""
    frame_rate: Optional[Fraction] = None
    """Nominal frames per second."""
    color_range: Optional[str] = None
    """``tv`` or ``pc``."""
    color_space: Optional[str] = None
    """FFmpeg's name of the matrix, such as ``bt709``."""
    rotation: int = 0
    """Degrees clockwise to apply for display; only with ``encoding="copy"``."""
    sample_rate: Optional[int] = None
    """Samples per second and channel."""
    channels: Optional[int] = None
    extradata: bytes = b""
    """Configuration of the codec, for packets."""


@dataclass(frozen=True)
class Description:
    """The streams of a response."""

    name: str
    live: bool
    streams: Tuple[StreamInfo, ...]
    duration: Optional[float] = None
    """Seconds of the whole file."""
    etag: Optional[str] = None
    """Identifies the bytes of the file; a response with one can be resumed."""
    notes: Tuple[str, ...] = ()

    @property
    def leading(self) -> str:
        """The type of the streams that frames are made of: video if there is any, else audio."""
        kinds = [stream.type for stream in self.streams]
        return next(kind for kind in ("video", "audio", "data") if kind in kinds)

    def first(self, kind: str) -> Optional[StreamInfo]:
        """The first stream of a type."""
        return next((stream for stream in self.streams if stream.type == kind), None)


def parse_description(payload: Bytes) -> Description:
    """Parses the payload of a describe.

    Raises:
        StreamError: for anything malformed
    """
    fields = parse_json(payload, "description")
    streams = tuple(
        _parse_stream(_object(entry, "a stream"))
        for entry in _list(fields, "streams")[:MAX_STREAMS]
    )
    if not streams:
        raise invalid("the description names no stream")
    if len({stream.id for stream in streams}) < len(streams):
        raise invalid("the description has two streams of one id")
    duration = _optional_number(fields, "duration", 0, 1e10)
    etag = fields.get("etag")
    notes = [note for note in _list(fields, "notes")[:MAX_NOTES] if isinstance(note, str)]
    return Description(
        name=str(fields.get("name") or ""),
        live=fields.get("live") is True,
        streams=streams,
        duration=duration,
        etag=etag if isinstance(etag, str) else None,
        notes=tuple(printable(note) for note in notes),
    )


def _parse_stream(fields: Dict[str, Any]) -> StreamInfo:
    kind = fields.get("type")
    if kind not in ("video", "audio", "data"):
        raise invalid(f"a stream of type {printable(kind)}")
    codec = _word(fields, "codec")
    number, time_base = _integer(fields, "id", 0, 65535), _fraction(fields, "timeBase")
    if codec is None or time_base is None:
        raise invalid(f"stream {number} without codec or time base")
    if kind == "data":
        return StreamInfo(number, kind, codec, time_base)
    if kind == "audio":
        return StreamInfo(
            number, kind, codec, time_base,
            sample_rate=_integer(fields, "sampleRate", 1, 2**31),
            channels=_integer(fields, "channels", 1, 1024),
            extradata=_extradata(fields),
        )
    rotation = fields.get("rotation")
    return StreamInfo(
        number, kind, codec, time_base,
        width=_integer(fields, "width", 1, 65535),
        height=_integer(fields, "height", 1, 65535),
        pixel_format=_word(fields, "pixelFormat"),
        frame_rate=_fraction(fields, "frameRate"),
        color_range=_word(fields, "colorRange"),
        color_space=_word(fields, "colorSpace"),
        rotation=rotation if rotation in (90, 180, 270) else 0,
        extradata=_extradata(fields),
    )


@dataclass(frozen=True)
class MediaEntry:
    """One entry of a server's list. Fields that do not apply, or are unknown, are ``None``."""

    name: str
    kind: str
    """``image``, ``video``, ``audio`` or ``data``."""
    live: bool
    size: int
    """Bytes of the file; 0 for live sources."""
    codec: str
    """FFmpeg's names of the codecs; empty for a live source that has not run yet."""
    duration: Optional[float] = None
    """Seconds."""
    width: Optional[int] = None
    """Pixels."""
    height: Optional[int] = None
    """Pixels."""
    published: bool = False
    """A publisher sends it."""
    problem: Optional[str] = None
    """Why the file cannot be read; it is listed only if that is asked for."""


@dataclass(frozen=True)
class ListPiece:
    """One message of a list."""

    entries: List[MediaEntry]
    removed: List[str]
    """Names that are not listed any more."""
    more: bool
    """Further messages follow."""


def parse_list(payload: Bytes) -> ListPiece:
    """Parses the payload of a list.

    Raises:
        StreamError: for anything malformed
    """
    fields = parse_json(payload, "list")
    return ListPiece(
        [_parse_entry(_object(entry, "an entry")) for entry in _list(fields, "entries")],
        [name for name in _list(fields, "removed") if isinstance(name, str)],
        fields.get("more") is True,
    )


def _parse_entry(fields: Dict[str, Any]) -> MediaEntry:
    name = fields.get("name")
    if not isinstance(name, str):
        raise invalid("an entry without a name")
    width, height = (_optional_number(fields, side, 1, 65535) for side in ("width", "height"))
    return MediaEntry(
        name=name,
        kind=text_of(fields, "kind"),
        live=fields.get("live") is True,
        size=int(_optional_number(fields, "size", 0, 2**53) or 0),
        codec=text_of(fields, "codec"),
        duration=_optional_number(fields, "duration", 0, 1e10),
        width=None if width is None else int(width),
        height=None if height is None else int(height),
        published=fields.get("published") is True,
        problem=text_of(fields, "problem") or None,
    )


def _object(value: object, what: str) -> Dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise invalid(f"{what} is no JSON object")


def _list(fields: Dict[str, Any], name: str) -> List[Any]:
    value = fields.get(name)
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise invalid(f"{name} is no list")


def _optional_number(
    fields: Dict[str, Any], name: str, least: float, most: float
) -> Optional[float]:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise invalid(f"{name} {printable(value)}, expected a number from {least} to {most}")


def _integer(fields: Dict[str, Any], name: str, least: int, most: int) -> int:
    value = _optional_number(fields, name, least, most)
    if value is None or value != int(value):
        raise invalid(f"{name} {printable(value)}, expected a whole number")
    return int(value)


def _word(fields: Dict[str, Any], name: str) -> Optional[str]:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, str) and WORD.fullmatch(value):
        return value
    raise invalid(f"{name} {printable(value)}, expected a word")


def _fraction(fields: Dict[str, Any], name: str) -> Optional[Fraction]:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2:
        if all(type(part) is int and 0 < part < 2**31 for part in value):
            return Fraction(*value)
    raise invalid(f"{name} {printable(value)}, expected two whole numbers above zero")


def _extradata(fields: Dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(fields.get("extradata") or "", validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise invalid("extradata that is no base64") from error
