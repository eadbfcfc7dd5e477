"""Frames from stream-server as numpy arrays, and arrays to it as a live source.

    from stream_client import Stream, Publisher

    with Stream("camera-box", "cam", pixel_format="bgr24", latest=True) as stream:
        for frame in stream:
            print(frame.image.shape, frame.latency)

    with Publisher("camera-box", "cam", fps=30) as out:
        out.write(image, data={"boxes": []})
"""

from ._asyncio import AsyncStream, aopen
from ._errors import ConnectionLost, StreamError
from ._frame import Audio, Frame, Message
from ._protocol.description import MediaEntry, StreamInfo
from ._publisher import Publisher
from ._receiver import Notice
from ._requests import get_image, list_media
from ._sender import Totals
from ._stream import Stream

__all__ = [
    "AsyncStream", "Audio", "ConnectionLost", "Frame", "MediaEntry", "Message", "Notice",
    "Publisher", "Stream", "StreamError", "StreamInfo", "Totals", "aopen", "get_image",
    "list_media",
]

__version__ = "0.9.0"
