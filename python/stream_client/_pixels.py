"""Layouts of FFmpeg's pixel formats as numpy arrays, after libavutil/pixdesc.c."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Tuple

from ._protocol.wire import CAPTURE_TIME, FRAME, LIMITS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKED = {
    "gray": ("u1", 1), "ya8": ("u1", 2), "rgb8": ("u1", 1), "bgr8": ("u1", 1),
    **{name: ("u1", 3) for name in ("rgb24", "bgr24")},
    **{
        name: ("u1", 4)
        for name in ("rgba", "bgra", "argb", "abgr", "rgb0", "bgr0", "0rgb", "0bgr")
    },
}
"""Formats of 8 bits with one plane: the type and the channels of their pixels."""

DEEP_PACKED = {
    **{f"gray{bits}": ("u2", 1) for bits in (9, 10, 12, 14, 16)},
    "ya16": ("u2", 2), "rgb48": ("u2", 3), "bgr48": ("u2", 3), "rgba64": ("u2", 4),
    "bgra64": ("u2", 4), "grayf32": ("f4", 1),
}
"""The same of those with a byte order, without its letters."""

YUV = re.compile(r"yuv([aj]?)(4\d\d)p(9|10|12|14|16)?(le|be)?")
GBR = re.compile(r"gbr(a?)p(f32|9|10|12|14|16)?(le|be)?")
BAYER = re.compile(r"bayer_(?:bggr|rggb|gbrg|grbg)(8|16le|16be)")
DEEP = re.compile(r"(\w+?)(le|be)")

CHROMA = {"444": (0, 0), "422": (1, 0), "420": (1, 1), "440": (0, 1), "411": (2, 0), "410": (2, 2)}
"""Halvings of the width and of the height of the planes of chroma."""


class Plane(NamedTuple):
    """One plane of a frame."""

    channels: int
    halved_width: int
    halved_height: int

    def shape(self, width: int, height: int) -> Tuple[int, ...]:
        """Its shape, for a frame of this size in pixels: odd sizes are rounded up."""
        columns, rows = _halved(width, self.halved_width), _halved(height, self.halved_height)
        return (rows, columns) if self.channels == 1 else (rows, columns, self.channels)


class Layout(NamedTuple):
    """How the pixels of a format lie in memory."""

    dtype: str
    """As numpy spells it, such as ``|u1`` or ``<u2``."""
    planes: Tuple[Plane, ...]

    def size(self, width: int, height: int) -> int:
        """Bytes of a frame of this size in pixels."""
        samples = 0
        for plane in self.planes:
            count = 1
            for side in plane.shape(width, height):
                count *= side
            samples += count
        return samples * int(self.dtype[-1])


FULL = (0, 0)


@lru_cache(maxsize=64)
def layout_of(pixel_format: str) -> Optional[Layout]:
    """The layout of a pixel format, by FFmpeg's name; ``None`` if it is not known here.

    >>> layout_of("yuv420p").size(5, 5)
    43
    """
    if pixel_format in ("nv12", "nv21"):
        return Layout("|u1", (Plane(1, *FULL), Plane(2, *CHROMA["420"])))
    if pixel_format in PACKED:
        kind, channels = PACKED[pixel_format]
        return Layout("|" + kind, (Plane(channels, *FULL),))
    found = YUV.fullmatch(pixel_format)
    if found and found[2] in CHROMA and (found[3] is None) == (found[4] is None):
        chroma = Plane(1, *CHROMA[found[2]])
        alpha = (Plane(1, *FULL),) if found[1] == "a" else ()
        return Layout(_dtype(found[3], found[4]), (Plane(1, *FULL), chroma, chroma, *alpha))
    found = GBR.fullmatch(pixel_format)
    if found and (found[2] is None) == (found[3] is None):
        return Layout(_dtype(found[2], found[3]), (Plane(1, *FULL),) * (4 if found[1] else 3))
    found = BAYER.fullmatch(pixel_format)
    if found:
        dtype = "|u1" if found[1] == "8" else _dtype("16", found[1][2:])
        return Layout(dtype, (Plane(1, *FULL),))
    found = DEEP.fullmatch(pixel_format)
    if found and found[1] in DEEP_PACKED:
        kind, channels = DEEP_PACKED[found[1]]
        return Layout(("<" if found[2] == "le" else ">") + kind, (Plane(channels, *FULL),))
    return None


def _dtype(bits: Optional[str], order: Optional[str]) -> str:
    if bits is None:
        return "|u1"
    return ("<" if order == "le" else ">") + ("f4" if bits == "f32" else "u2")


def _halved(pixels: int, times: int) -> int:
    return -(-pixels >> times)


def load_numpy() -> Any:
    """The module numpy.

    Raises:
        ImportError: with what to do about it
    """
    try:
        import numpy
    except ImportError as error:
        raise ImportError(
            "Cannot make an array: numpy is missing, expected it for images (pip install numpy);"
            " frame.bytes works without"
        ) from error
    return numpy


def planes_of(
    data: memoryview, layout: Layout, width: int, height: int
) -> "Tuple[NDArray[Any], ...]":
    """The planes of a frame as arrays over its memory."""
    numpy = load_numpy()
    planes = []
    offset = 0
    for plane in layout.planes:
        shape = plane.shape(width, height)
        count = 1
        for side in shape:
            count *= side
        array = numpy.frombuffer(data, numpy.dtype(layout.dtype), count, offset)
        planes.append(array.reshape(shape))
        offset += array.nbytes
    return tuple(planes)


def image_of(data: memoryview, layout: Layout, width: int, height: int) -> "NDArray[Any]":
    """The whole frame as one array over its memory.

    - one plane: height × width, or height × width × channels
    - planes of one size: planes × height × width
    - others, such as ``yuv420p`` and ``nv12``: rows × width, as OpenCV expects them (for
      ``yuv420p``, height × 3/2 rows)

    Raises:
        ValueError: if rows of that width do not fit
    """
    planes = planes_of(data, layout, width, height)
    if len(planes) == 1:
        return planes[0]
    whole: "NDArray[Any]" = load_numpy().frombuffer(data, planes[0].dtype)
    if all(plane.shape == planes[0].shape for plane in planes):
        return whole.reshape((len(planes), height, width))
    if width % 2 == 0 and height % 2 == 0 and whole.size % width == 0:
        return whole.reshape((-1, width))
    raise ValueError(
        f"Cannot make one array of planes of {width}x{height} pixels: expected an even width and"
        " height, use frame.planes or frame.to_bgr()"
    )


FORMATS = {
    ("u1", 1): "gray", ("u1", 3): "bgr24", ("u1", 4): "bgra",
    ("u2", 1): "gray16le", ("u2", 3): "bgr48le", ("u2", 4): "bgra64le",
    ("f4", 1): "grayf32le", ("f4", 3): "gbrpf32le", ("f4", 4): "gbrapf32le",
}
"""Pixel formats of arrays, by type and channels, in the order of OpenCV: blue, green, red, alpha."""

MAX_SIDE = 65535
"""Pixels of the largest width and height."""

MAX_BYTES = LIMITS[FRAME] - CAPTURE_TIME.size
"""Bytes of the largest frame."""

PLANE_ORDER = (1, 0, 2, 3)
"""Channels of an array in the order of the planes of ``gbrp``."""


def arrange(
    image: "NDArray[Any]", pixel_format: Optional[str] = None
) -> "Tuple[str, int, int, NDArray[np.uint8]]":
    """Names the pixel format of an array, and gives its bytes as the wire has them.

    Args:
        image: height × width, or height × width × 1, 3 or 4; uint8, uint16 or float32
        pixel_format: of one plane, what the channels are; default: gray, or blue, green, red and
            alpha

    Returns:
        the pixel format, width, height, and the bytes; a view of the image if that is possible

    Raises:
        TypeError, ValueError: for any other array, with what is expected
    """
    numpy = load_numpy()
    if not isinstance(image, numpy.ndarray):
        raise TypeError(f"Cannot publish {type(image).__name__}: expected a numpy array")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    channels = image.shape[2] if image.ndim == 3 else 1
    key = (image.dtype.kind + str(image.dtype.itemsize), channels)
    if image.ndim not in (2, 3) or 0 in image.shape or key not in FORMATS:
        raise ValueError(
            f"Cannot publish an array of {image.dtype} with shape {image.shape}: expected uint8,"
            " uint16 or float32, and height × width, or height × width × 1, 3 or 4"
        )
    height, width = image.shape[:2]
    if max(width, height) > MAX_SIDE or image.nbytes > MAX_BYTES:
        raise ValueError(
            f"Cannot publish {width}x{height} pixels: expected at most {MAX_SIDE} in width and"
            f" height, and {MAX_BYTES} bytes"
        )
    name = pixel_format or FORMATS[key]
    layout = layout_of(name)
    if layout is None or layout.dtype[1:] != key[0] or channels_of(name) != channels:
        raise ValueError(
            f'Cannot publish an array of {image.dtype} with {channels} channels as "{name}":'
            " expected a pixel format of that type, and not of planes"
        )
    if len(layout.planes) > 1:
        image = image.transpose(2, 0, 1)[list(PLANE_ORDER[:channels])]
    whole = numpy.ascontiguousarray(image, numpy.dtype(layout.dtype))
    return name, width, height, whole.reshape(-1).view(numpy.uint8)


def channels_of(pixel_format: str) -> int:
    """Channels of an array that is published in this format; 0 if none is."""
    layout = layout_of(pixel_format)
    if layout is None:
        return 0
    if len(layout.planes) == 1:
        return layout.planes[0].channels
    return len(layout.planes) if GBR.fullmatch(pixel_format) else 0
