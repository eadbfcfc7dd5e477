"""Publishes the frames of a file as arrays, as fast as they are taken, once somebody watches.

    package_sender.py PORT NAME PATH

Prints `ready` when the server has accepted it.
"""

import sys
import time
from pathlib import Path

import cv2

sys.path.insert(0, str(Path(__file__).parents[2] / "python"))

from stream_client import Publisher  # noqa: E402


def main(port, name, path):
    capture = cv2.VideoCapture(path)
    with Publisher("127.0.0.1", name, port=port, late="wait", on_demand=True) as out:
        while not out.connected:
            time.sleep(0.01)
        print("ready", flush=True)
        if not out.wait_watched(30):
            raise SystemExit("nobody watches")
        while True:
            good, frame = capture.read()
            if not good:
                break
            out.write(frame)


main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
