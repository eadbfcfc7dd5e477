"""Receives a video from a server as arrays, and prints the totals as JSON.

    package_receiver.py PORT NAME PIXEL_FORMAT [convert]

With `convert`, each frame is converted to BGR here. Prints `waiting` before it connects.
"""

import json
import math
import sys
import time
from pathlib import Path

import cv2  # noqa: F401 - the package uses it if it is there, as it does numpy
import numpy  # noqa: F401

sys.path.insert(0, str(Path(__file__).parents[2] / "python"))

from stream_client import Stream  # noqa: E402


def main(port, name, pixel_format, convert):
    frames, size, first = 0, 0, None
    began = time.monotonic()
    with Stream("127.0.0.1", name, port=port, pixel_format=pixel_format,
                retries=math.inf) as stream:
        for frame in stream:
            image = frame.to_bgr() if convert else frame.image
            frames += 1
            size += image.nbytes
            if first is None:
                first = time.monotonic()
    ended = time.monotonic()
    print(json.dumps({"frames": frames, "bytes": size,
                      "first": first - began, "seconds": ended - began}))


main(int(sys.argv[1]), sys.argv[2], sys.argv[3], "convert" in sys.argv[4:])
