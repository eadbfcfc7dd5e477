"""Conversion of frames to blue, green and red, as FFmpeg's libswscale does it without scaling."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Dict, NamedTuple, Optional, Tuple

from ._pixels import load_numpy
from ._protocol.description import StreamInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = {
    "bt709": (0.2126, 0.0722), "fcc": (0.30, 0.11), "smpte240m": (0.212, 0.087),
    "bt2020nc": (0.2627, 0.0593), "bt2020c": (0.2627, 0.0593),
}
"""Weights of red and blue in the luma of a matrix, by FFmpeg's names (ITU-T H.273, table 4)."""

DEFAULT_WEIGHTS = (0.299, 0.114)
"""Those of BT.601, which FFmpeg takes for whatever is not stated."""

ONE = 1 << 13
"""What 1 is as a coefficient. libswscale multiplies whole numbers and cuts the rest off."""


class Matrix(NamedTuple):
    """Coefficients in units of 1/8192, and the luma of black."""

    black: int
    luma: int
    blue_u: int
    green_u: int
    green_v: int
    red_v: int


def matrix_of(stream: StreamInfo) -> Matrix:
    """The matrix from luma and chroma to red, green and blue of full range."""
    is_full = stream.color_range == "pc" or (stream.pixel_format or "").startswith("yuvj")
    return _matrix(WEIGHTS.get(stream.color_space or "", DEFAULT_WEIGHTS), is_full)


@lru_cache(maxsize=None)
def _matrix(weights: Tuple[float, float], is_full: bool) -> Matrix:
    red, blue = weights
    green = 1 - red - blue
    chroma, luma = (1.0, 1.0) if is_full else (255 / 224, 255 / 219)
    red_v, blue_u = 2 * (1 - red) * chroma, 2 * (1 - blue) * chroma
    return Matrix(
        black=0 if is_full else 16,
        luma=round(luma * ONE),
        blue_u=round(blue_u * ONE),
        green_u=round(-blue_u * blue / green * ONE),
        green_v=round(-red_v * red / green * ONE),
        red_v=round(red_v * ONE),
    )


CHANNELS = {
    "bgr24": (0, 1, 2), "bgra": (0, 1, 2), "bgr0": (0, 1, 2), "rgb24": (2, 1, 0),
    "rgba": (2, 1, 0), "rgb0": (2, 1, 0), "argb": (3, 2, 1), "0rgb": (3, 2, 1),
    "abgr": (1, 2, 3), "0bgr": (1, 2, 3), "bgr48": (0, 1, 2),
    "bgra64": (0, 1, 2), "rgb48": (2, 1, 0), "rgba64": (2, 1, 0), "gray": (0, 0, 0),
    "gray16": (0, 0, 0), "grayf32": (0, 0, 0),
}
"""Where blue, green and red are in packed formats, without the letters of the byte order."""

CHROMA_ORDER = {"nv12": (0, 1), "nv21": (1, 0)}
"""Where the two components of chroma are in one plane."""


def to_bgr(planes: "Tuple[NDArray[Any], ...]", stream: StreamInfo) -> "NDArray[Any]":
    """Converts the planes of a frame to height × width × 3, of their type.

    Raises:
        ValueError: for YUV of more than 8 bits, gray of 9 to 14, and Bayer patterns
    """
    name = stream.pixel_format or ""
    first = planes[0]
    order = CHANNELS.get(re.sub("[lb]e$", "", name))
    if order == (0, 1, 2) and first.shape[2] == 3:
        return first
    if order is not None:
        pixels = first.reshape(first.shape[0], first.shape[1], -1)
        packed: "NDArray[Any]" = load_numpy().take(pixels, order, axis=2)
        return packed
    if name.startswith("gbr"):
        return _stack(planes[1], planes[0], planes[2])
    if name in CHROMA_ORDER:
        u, v = (planes[1][:, :, index] for index in CHROMA_ORDER[name])
        return _from_yuv(first, u, v, matrix_of(stream))
    if name.startswith("yuv") and first.dtype.itemsize == 1:
        return _from_yuv(first, planes[1], planes[2], matrix_of(stream))
    raise ValueError(
        f'Cannot convert "{name}" to BGR: ask the server for pixel_format="bgr24", or for another'
        " format that is converted here"
    )


def _stack(*channels: "NDArray[Any]") -> "NDArray[Any]":
    stacked: "NDArray[Any]" = load_numpy().stack(channels, axis=2)
    return stacked


def _from_yuv(
    y: "NDArray[Any]", u: "NDArray[Any]", v: "NDArray[Any]", matrix: Matrix
) -> "NDArray[np.uint8]":
    cv2 = _opencv()
    if cv2 is None:
        return _by_numpy(y, u, v, matrix)
    return _by_opencv(cv2, y, u, v, matrix)


def _by_numpy(
    y: "NDArray[Any]", u: "NDArray[Any]", v: "NDArray[Any]", matrix: Matrix
) -> "NDArray[np.uint8]":
    """Neighbours share the chroma; equal to libswscale's bytes on x86."""
    numpy = load_numpy()
    level = numpy.arange(256, dtype=numpy.int32)

    def products(coefficient: int, zero: int) -> Any:
        return ((level - zero) * coefficient >> 13).astype(numpy.int16)

    luma = products(matrix.luma, matrix.black)[y]
    height, width = y.shape
    rows, columns = -(-height // u.shape[0]), -(-width // u.shape[1])
    bgr: "NDArray[np.uint8]" = numpy.empty((height, width, 3), numpy.uint8)
    offsets = (
        products(matrix.blue_u, 128)[u],
        products(matrix.green_u, 128)[u] + products(matrix.green_v, 128)[v],
        products(matrix.red_v, 128)[v],
    )
    for channel, offset in enumerate(offsets):
        for axis, times in ((0, rows), (1, columns)):
            offset = offset if times == 1 else numpy.repeat(offset, times, axis)
        total = luma + offset[:height, :width]
        numpy.clip(total, 0, 255, out=bgr[:, :, channel], casting="unsafe")
    return bgr


def _by_opencv(
    cv2: Any, y: "NDArray[Any]", u: "NDArray[Any]", v: "NDArray[Any]", matrix: Matrix
) -> "NDArray[np.uint8]":
    """The same in one pass of floats, at most 2 off: half a unit for each product that is cut."""
    height, width = y.shape
    rows, columns = -(-height // u.shape[0]), -(-width // u.shape[1])
    size = (u.shape[1] * columns, u.shape[0] * rows)
    planes = [
        plane if (rows, columns) == (1, 1)
        else cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST)[:height, :width]
        for plane in (u, v)
    ]
    bgr: "NDArray[np.uint8]" = cv2.transform(cv2.merge([y, *planes]), _affine(matrix))
    return bgr


@lru_cache(maxsize=None)
def _affine(matrix: Matrix) -> Any:
    """3 × 4: blue, green and red from luma, two of chroma, and 1."""
    rows = [
        [matrix.luma, matrix.blue_u, 0], [matrix.luma, matrix.green_u, matrix.green_v],
        [matrix.luma, 0, matrix.red_v],
    ]
    affine = []
    for row in rows:
        luma, u, v = (coefficient / ONE for coefficient in row)
        cut = sum(0.5 for coefficient in row if coefficient % ONE != 0)
        affine.append([luma, u, v, -luma * matrix.black - 128 * (u + v) - cut])
    return load_numpy().array(affine)


_modules: Dict[str, Optional[Any]] = {}


def _opencv() -> Optional[Any]:
    """The module cv2 if it is installed."""
    if "cv2" not in _modules:
        try:
            import cv2
        except ImportError:
            _modules["cv2"] = None
        else:
            _modules["cv2"] = cv2
    return _modules["cv2"]
