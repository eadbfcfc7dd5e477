#!/usr/bin/env python3
"""Shows the newest frame of a source in a window, until q is pressed or the source ends.

    python3 show.py localhost 7777 cam
"""

import sys

import cv2
from stream_client import Stream

host, port, name = sys.argv[1:]
with Stream(host, name, port=int(port), pixel_format="bgr24", latest=True) as stream:
    for frame in stream:
        if frame.latency is not None:
            text = f"{frame.latency * 1000:.0f} ms"
            cv2.putText(frame.image, text, (8, 24), cv2.FONT_HERSHEY_PLAIN, 1.5, (0, 255, 0))
        cv2.imshow(name, frame.image)
        if cv2.waitKey(1) == ord("q"):
            break
