"""Receives a stream of frames."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Iterator, List, Optional, Tuple, Type, Union

from ._frame import Audio, Frame, Message
from ._protocol import wire
from ._protocol.description import StreamInfo
from ._protocol.retry import Retries
from ._protocol.transport import Server
from ._receiver import Notice, Receiver
from ._requests import Size, media_request

if TYPE_CHECKING:
    from numpy.typing import NDArray

POLL = 1.0
"""Seconds after which a wait looks for Ctrl-C; without it, Windows would not."""


class Stream:
    """Frames of a video, of a live source, or of one image.

        with Stream("camera-box", "cam", pixel_format="bgr24", latest=True) as stream:
            for frame in stream:
                print(frame.image.shape, frame.latency)

    A thread of its own receives. If the connection is lost, it connects again: a file goes on with
    the very next frame, a live source with the newest.

    Args:
        host: name or address of the server
        name: as in :func:`list_media`; default: the server's default video
        latest: only the newest frame, however slow the loop is; otherwise every frame
        encoding: ``raw`` (default), ``mjpeg``, or ``h264`` and ``copy``, which give packets
        pixel_format: of raw frames, by FFmpeg's name, such as ``bgr24``; default: the source's
        size: width and height in pixels to scale to; one of them may be ``None``
        fps: frames per second to convert to
        quality: of ``mjpeg``, 1 to 100
        bitrate: of ``h264``, bits per second
        start: seconds from the beginning of a file
        duration: seconds from ``start``
        speed: of a file, 1 for real time, 0 for as fast as the loop takes frames; default: 1 with
            ``latest``, else 0
        loop: repeat a file until closed
        audio: audio as well, see ``Frame.audio``
        audio_track: of a file, the number of the audio track, from 1 on, or its language, such as
            ``deu``; audio as well
        subtitles: of a file, their number or language, or ``True`` for those that it recommends:
            texts as messages, see ``Frame.data``
        data: messages of live sources as well, see ``Frame.data``; ``"only"``: no video or audio
        port: TCP port
        token: what the server requires
        tls: encrypt; trust the authorities of this machine
        ca_file: encrypt; trust the authority or certificate in this PEM file
        fingerprint: encrypt; trust only the certificate with this SHA-256
        retries: further attempts in a row, ``math.inf`` for no end, also while the server or the
            source is not there yet; default: 5 after the first connection, none before

    Raises:
        StreamError: if the server refuses the request, with the wire's code
        ConnectionLost: if nobody answers, or the connection is lost and all retries failed
        ValueError: for arguments that contradict each other
    """

    def __init__(
        self,
        host: str,
        name: Optional[str] = None,
        *,
        latest: bool = False,
        encoding: str = "raw",
        pixel_format: Optional[str] = None,
        size: Optional[Size] = None,
        fps: Optional[float] = None,
        quality: Optional[int] = None,
        bitrate: Optional[int] = None,
        start: Optional[float] = None,
        duration: Optional[float] = None,
        speed: Optional[float] = None,
        loop: bool = False,
        audio: bool = False,
        audio_track: Union[int, str, None] = None,
        subtitles: Union[bool, int, str, None] = None,
        data: Union[bool, str] = True,
        port: int = wire.DEFAULT_PORT,
        token: Optional[str] = None,
        tls: bool = False,
        ca_file: Optional[str] = None,
        fingerprint: Optional[str] = None,
        retries: Optional[float] = None,
    ) -> None:
        if latest and encoding in ("copy", "h264"):
            raise ValueError(
                f'Cannot give the latest frame with encoding="{encoding}": its packets depend on'
                " each other, expected raw or mjpeg"
            )
        if data not in (True, False, "only"):
            raise ValueError(f'Cannot use data={data!r}: expected True, False or "only"')
        server = Server(host, port, token, tls, ca_file, fingerprint)
        request = {
            **media_request(name, encoding, pixel_format, size, quality),
            "fps": fps, "bitrate": bitrate, "start": start, "duration": duration,
            "speed": (1 if latest else 0) if speed is None else speed,
            "loop": loop or None, "audio": audio or audio_track is not None,
            "audioTrack": audio_track, "subtitles": subtitles or None, "data": data or None, "redescribe": True,
            "late": "drop" if latest else "wait", "credit": latest or None,
        }
        wire.encode_value(request)  # raises what the thread would
        self._is_closed = False
        self._size: Optional[Tuple[int, int]] = None
        self._receiver = Receiver(server, request, latest=latest, retries=Retries(retries))
        self._receiver.start()
        self._begin()

    def _begin(self) -> None:
        """Waits for the description."""
        try:
            self._receiver.description
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Stream":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        """Waits for the next frame, or with ``latest`` for one that is newer than the last.

        Raises:
            StopIteration: at the end of the media
            StreamError, ConnectionLost: if it ends before
            ValueError: if the stream is closed
        """
        receiver = self._open
        while True:
            frame = self._taken(receiver.take(POLL))
            if frame is not None:
                return frame
            if self.ended:
                raise StopIteration

    def poll(self, timeout: float = 0) -> Optional[Frame]:
        """The next frame if one comes within ``timeout`` seconds; else ``None``, as at the end.
        Raises as iterating does."""
        return self._taken(self._open.take(timeout))

    @property
    def ended(self) -> bool:
        """Whether the last frame was taken, or the error raised, and nothing will come."""
        return self._receiver.queue.is_over

    def read(self) -> "Tuple[bool, Optional[NDArray[Any]]]":
        """The next frame as ``cv2.VideoCapture.read`` gives it: ``(True, image)``, or
        ``(False, None)`` at the end. The image is ``frame.to_bgr()``: height × width × 3. Raises as
        iterating does."""
        frame = next(self, None)
        return (False, None) if frame is None else (True, frame.to_bgr())

    def get_size(self) -> Tuple[int, int]:
        """Width and height of the frame that was taken last, or else of the next one, in pixels.

        Raises:
            ValueError: if there is no video
        """
        if self._size is not None:
            return self._size
        video = self._receiver.description.first("video")
        if video is None:
            raise ValueError("Cannot give a size: there is no video")
        return video.width or 0, video.height or 0

    @property
    def fps(self) -> Optional[float]:
        """Nominal frames per second, if the source has some."""
        video = self._receiver.description.first("video")
        return None if video is None or not video.frame_rate else float(video.frame_rate)

    @property
    def name(self) -> str:
        """Name of the media."""
        return self._receiver.description.name

    @property
    def live(self) -> bool:
        """Whether it has no end of its own."""
        return self._receiver.description.live

    @property
    def duration(self) -> Optional[float]:
        """Seconds of the whole file, if that is known."""
        return self._receiver.description.duration

    @property
    def streams(self) -> Tuple[StreamInfo, ...]:
        """Video, audio and data as described last."""
        return self._receiver.description.streams

    @property
    def notices(self) -> List[Notice]:
        """What happened so far: the last 100 events."""
        return list(self._receiver.notices.copy())

    @property
    def dropped(self) -> int:
        """Frames that were left out so far, by the server, or here because of ``latest``."""
        return self._receiver.dropped + self._receiver.queue.replaced

    @property
    def rest(self) -> List[Union[Audio, Message]]:
        """After the end: audio and messages that came with no frame."""
        return list(self._receiver.queue.rest)

    def seek(self, to: float) -> None:
        """Goes to a time of a file. The next frame is the first one at or after it; packets may
        precede it, as they are needed for decoding.

        Args:
            to: seconds from the beginning of the file, whatever ``start`` is; ``Frame.time`` counts
                from ``start``

        Raises:
            ValueError: for a live source, or a negative time
        """
        if self.live:
            raise ValueError(f'Cannot seek in "{self.name}": it is live')
        if not 0 <= to <= 1e8:
            raise ValueError(f"Cannot seek to {to}: expected seconds from 0 up")
        self._open.seek(to)

    def pause(self) -> None:
        """Has the server pause. Frames that are here already are still given."""
        self._open.pause(True)

    def resume(self) -> None:
        """Ends a pause."""
        self._open.pause(False)

    def close(self) -> None:
        """Closes the connection. Frames that were taken stay valid; twice is harmless."""
        self._is_closed = True
        self._receiver.close()

    def __del__(self) -> None:
        if hasattr(self, "_receiver"):
            self._receiver.close(wait=False)

    @property
    def _open(self) -> Receiver:
        if self._is_closed:
            raise ValueError("Cannot use the stream: it is closed")
        if not self._receiver.is_ours:
            raise ValueError("Cannot use the stream in another process: open it there")
        return self._receiver

    def _taken(self, frame: Optional[Frame]) -> Optional[Frame]:
        if frame is not None:
            self._receiver.on_taken()
            if frame.stream.type == "video":
                self._size = (frame.stream.width or 0, frame.stream.height or 0)
        return frame
