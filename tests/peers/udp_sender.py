"""A camera as it is written around OpenCV and UDP: each datagram is a JPEG, or a numbered piece of one.

Prints "frame N SECONDS" after each frame, by the system's monotonic clock.
"""

import argparse
import math
import socket
import struct
import sys
import time

import cv2
import numpy as np


def read_frame(number, width, height):
    """A gradient that moves by the number, as an array of height x width x 3."""
    y, x, channel = np.ogrid[:height, :width, :3]
    return ((3 * x + 5 * y + 40 * channel + 7 * number) % 256).astype(np.uint8)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--pieces", metavar="BYTES", type=int,
                        help="in pieces, each behind a byte that counts down to 1")
    parser.add_argument("--size", metavar="WIDTHxHEIGHT", default="48x32")
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--fps", type=float, default=25)
    parser.add_argument("--ready", action="store_true",
                        help='print "Ready" and wait for Enter before anything else')
    parser.add_argument("--save", metavar="DIR", help="write each JPEG")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    if options.ready:
        print("Ready", flush=True)
        sys.stdin.readline()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        address = ("127.0.0.1", options.port)
        for number in range(options.frames):
            good, buffer = cv2.imencode(".jpg", read_frame(number, width, height))
            data = buffer.tobytes()
            if options.save:
                with open("%s/%d.jpg" % (options.save, number), "wb") as file:
                    file.write(data)
            if options.pieces:
                count = math.ceil(len(data) / options.pieces)
                for left in range(count, 0, -1):
                    start = (count - left) * options.pieces
                    piece = data[start : start + options.pieces]
                    sender.sendto(struct.pack("B", left) + piece, address)
            else:
                sender.sendto(data, address)
            print("frame %d %.6f" % (number, time.monotonic()), flush=True)
            time.sleep(1 / options.fps)


if __name__ == "__main__":
    main()
