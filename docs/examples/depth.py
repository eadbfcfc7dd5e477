#!/usr/bin/env python3
"""Publishes the images of a depth camera, and prints how near the nearest point is.

    python3 depth.py send localhost 7777 depth
    python3 depth.py watch localhost 7777 depth
"""

import sys
import time

import numpy as np
from stream_client import Publisher, Stream

action, host, port, name = sys.argv[1:]
if action == "send":
    with Publisher(host, name, port=int(port), fps=30) as out:
        while True:  # in place of a camera, a wall at 4 m that comes nearer
            depth = np.full((480, 640), 4000 - time.monotonic() % 3 * 1000, np.uint16)  # mm
            out.write(depth, data={"unit": "mm"})
            time.sleep(1 / 30)
with Stream(host, name, port=int(port), latest=True) as stream:  # not converted: 16 bits
    for frame in stream:
        print(f"{frame.time:.2f} s: {frame.image.min() / 1000:.3f} m", flush=True)
