#!/usr/bin/env python3
"""Records every tenth frame of a video or a live source as a PNG file.

    python3 every_tenth.py localhost 7777 video.mp4 frames/
"""

import sys
from pathlib import Path

import cv2
from stream_client import Stream

host, port, name, folder = sys.argv[1:]
Path(folder).mkdir(parents=True, exist_ok=True)
with Stream(host, name, port=int(port), pixel_format="bgr24") as stream:
    for number, frame in enumerate(stream):
        if number % 10 == 0:
            cv2.imwrite(f"{folder}/{number:06}.png", frame.image)
            print(f"frame {number} at {frame.time:.2f} s", flush=True)
