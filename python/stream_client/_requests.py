"""Requests of one image, and of the list of a server."""

from __future__ import annotations

import operator
from typing import Any, Dict, List, Optional, Tuple

from ._errors import StreamError, invalid
from ._frame import Frame, raw_size
from ._protocol import wire
from ._protocol.connection import Connection
from ._protocol.description import MediaEntry, StreamInfo, parse_description, parse_list
from ._protocol.transport import Server

Size = Tuple[Optional[int], Optional[int]]
"""Width and height in pixels; with only one of the two the aspect ratio is kept."""


def get_image(
    host: str,
    name: Optional[str] = None,
    time: Optional[float] = None,
    *,
    encoding: str = "raw",
    pixel_format: Optional[str] = None,
    size: Optional[Size] = None,
    quality: Optional[int] = None,
    port: int = wire.DEFAULT_PORT,
    token: Optional[str] = None,
    tls: bool = False,
    ca_file: Optional[str] = None,
    fingerprint: Optional[str] = None,
) -> Frame:
    """Gets an image, the frame of a video that is shown at a time, or the next of a live source.

        image = get_image("camera-box", "trips/sea.mkv", time=7.5, pixel_format="bgr24").image

    Args:
        name: as in :func:`list_media`; default: the server's default image
        time: seconds from the beginning of the video; default: the first frame

    The other arguments are those of :class:`Stream`.

    Raises:
        StreamError: if the server refuses the request, with the wire's code
        ConnectionLost: if nobody answers, or the connection is lost
    """
    server = Server(host, port, token, tls, ca_file, fingerprint)
    request = {
        **media_request(name, encoding, pixel_format, size, quality), "start": time,
    }
    message = wire.encode_request("get_image", token, request)
    connection = Connection(server)
    try:
        connection.ping()
        connection.send_unless_lost(message)
        return _receive_image(connection, name)
    finally:
        connection.close()


def _receive_image(connection: Connection, name: Optional[str]) -> Frame:
    stream: Optional[StreamInfo] = None
    while True:
        message = connection.receive()
        if message.kind == wire.DESCRIBE and stream is None:
            stream = parse_description(message.payload).first("video")
            if stream is None:
                raise invalid("an image without a video stream")
            connection.sizes = {stream.id: raw_size(stream)}
        elif message.kind == wire.FRAME and stream is not None:
            captured = connection.clock.own_time(message.captured)
            return Frame(
                stream, message.payload, message.timestamp,
                float(message.timestamp * stream.time_base), captured,
                keyframe=True, dropped_before=False,
            ).hand_over()
        elif message.kind == wire.END:
            raise StreamError(
                f'Cannot get an image of "{name or "the default"}": the server sent none',
                "media_error",
            )
        elif message.kind != wire.NOTICE:
            raise invalid(f"a message of kind {message.kind} is unexpected here")


def list_media(
    host: str,
    *,
    problems: bool = False,
    port: int = wire.DEFAULT_PORT,
    token: Optional[str] = None,
    tls: bool = False,
    ca_file: Optional[str] = None,
    fingerprint: Optional[str] = None,
) -> List[MediaEntry]:
    """The media of a server: live sources, then files in order of name.

    Args:
        problems: list also files that cannot be read, with the reason

    The other arguments are those of :class:`Stream`.

    Raises:
        StreamError: if the server refuses the request, with the wire's code
        ConnectionLost: if nobody answers, or the connection is lost
    """
    connection = Connection(Server(host, port, token, tls, ca_file, fingerprint))
    try:
        message = wire.encode_request("list_media", token, {"data": True, "more": True})
        connection.send_unless_lost(message)
        entries = _receive_list(connection)
    finally:
        connection.close()
    return [entry for entry in entries if problems or entry.problem is None]


_MAX_ENTRIES = 100_000
"""Entries of a list; a server lists 10,000 files, and its live sources."""


def _receive_list(connection: Connection) -> List[MediaEntry]:
    listed: Dict[str, MediaEntry] = {}
    more = True
    while more:
        message = connection.receive()
        if message.kind == wire.NOTICE:
            continue
        if message.kind != wire.LIST:
            raise invalid(f"a message of kind {message.kind} is unexpected here")
        piece = parse_list(message.payload)
        for name in piece.removed:
            listed.pop(name, None)
        listed.update((entry.name, entry) for entry in piece.entries)
        if len(listed) > _MAX_ENTRIES:
            raise invalid(f"the list has more than {_MAX_ENTRIES} entries")
        more = piece.more
    # Names come in order, but those whose content only showed that they are media.
    live = [entry for entry in listed.values() if entry.live]
    files = [entry for entry in listed.values() if not entry.live]
    return live + sorted(files, key=lambda entry: entry.name.split("/"))


def media_request(
    name: Optional[str],
    encoding: str,
    pixel_format: Optional[str],
    size: Optional[Size],
    quality: Optional[int],
) -> Dict[str, Any]:
    """What requests of images and videos have in common.

    Raises:
        ValueError: for a size that is none
    """
    width, height = (None, None) if size is None else _sides(size)
    return {
        "name": name, "encoding": encoding, "pixelFormat": pixel_format, "width": width,
        "height": height, "quality": quality,
    }


def _sides(size: Size) -> Size:
    """Width and height as whole numbers, or ``None``.

    Raises:
        ValueError: if they are neither
    """
    try:
        width, height = (side if side is None else operator.index(side) for side in size)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Cannot use size {size!r}: expected width and height in pixels, or None for one"
        ) from error
    return width, height
