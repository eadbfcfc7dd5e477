#!/usr/bin/env python3
"""Finds bright objects in a source, and publishes the image with a box around each, and the boxes.

    python3 detect.py localhost 7777 cam cam/detected
"""

import sys

import cv2
from stream_client import Publisher, Stream

host, port, name, target = sys.argv[1:]
with Stream(host, name, port=int(port), pixel_format="bgr24", latest=True) as stream, \
        Publisher(host, target, port=int(port), fps=stream.fps) as out:
    for frame in stream:
        gray = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
        _, bright = cv2.threshold(gray, 200, 255, cv2.THRESH_BINARY)
        contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        boxes = [cv2.boundingRect(contour) for contour in contours]
        for box in boxes:
            cv2.rectangle(frame.image, box, (0, 0, 255))
        out.write(frame.image, data={"boxes": boxes})
