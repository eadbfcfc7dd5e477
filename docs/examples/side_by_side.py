#!/usr/bin/env python3
"""Puts the newest frames of two cameras side by side, and publishes the result.

    python3 side_by_side.py localhost 7777 left right both
"""

import sys

import numpy as np
from stream_client import Publisher, Stream

host, port, first, second, target = sys.argv[1:]
options = {"port": int(port), "pixel_format": "bgr24", "size": (640, 480), "latest": True}
with Stream(host, first, **options) as left, Stream(host, second, **options) as right, \
        Publisher(host, target, port=int(port)) as out:
    one = next(left)
    for other in right:
        one = left.poll() or one  # a newer one, if there is one
        times = [one.capture_time, other.capture_time]
        out.write(np.hstack([one.image, other.image]), data={"captured": times})
