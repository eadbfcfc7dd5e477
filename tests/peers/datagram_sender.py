"""Senders of video over UDP, as they are written around OpenCV: a JPEG a datagram, or its pieces.

Sends one frame to a port of this machine for each line of standard input, which names form, port and
number of the frame. Prints each JPEG in hexadecimal digits.
"""

import base64
import pickle
import socket
import struct
import sys
import time

import cv2
import numpy as np

PIECE = 1400


def pieces_of(jpeg):
    return [jpeg[at:at + PIECE] for at in range(0, len(jpeg), PIECE)]


def numbered(layout, numbers):
    """A form in which numbers stand in front of each piece."""
    def form(jpeg, frame):
        pieces = pieces_of(jpeg)
        count = len(pieces)
        return [struct.pack(layout, *numbers(frame, at, count)) + piece
                for at, piece in enumerate(pieces)]
    return form


FORMS = {
    "jpeg": lambda jpeg, frame: [jpeg],
    "base64": lambda jpeg, frame: [base64.b64encode(jpeg)],
    "base64-lines": lambda jpeg, frame: [base64.encodebytes(jpeg)],
    "pickled-array": lambda jpeg, frame: [pickle.dumps(np.frombuffer(jpeg, np.uint8))],
    "pickled-column": lambda jpeg, frame: [
        pickle.dumps(np.frombuffer(jpeg, np.uint8).reshape(-1, 1), protocol=2)],
    "pickled-bytes": lambda jpeg, frame: [pickle.dumps(jpeg)],
    "pieces": lambda jpeg, frame: pieces_of(jpeg),
    "packs-pieces": lambda jpeg, frame: [
        pickle.dumps({"packs": len(pieces_of(jpeg))}), *pieces_of(jpeg)],
    "count-pieces": lambda jpeg, frame: [str(len(pieces_of(jpeg))).encode(), *pieces_of(jpeg)],
    "countdown-1": numbered("B", lambda frame, at, count: (count - at,)),
    "countdown-0": numbered("B", lambda frame, at, count: (count - at - 1,)),
    "countdown-h": numbered("!H", lambda frame, at, count: (count - at,)),
    "bb": numbered("BB", lambda frame, at, count: (at, count)),
    "hh-big": numbered("!HH", lambda frame, at, count: (at + 1, count)),
    "ii-native": numbered("II", lambda frame, at, count: (at, count)),
    "bbb": numbered("BBB", lambda frame, at, count: (frame % 256, at, count)),
    "bhh-padded": numbered("BHH", lambda frame, at, count: (frame % 256, at, count)),
    "ihh-big": numbered("!IHH", lambda frame, at, count: (frame, at, count)),
    "ihh-little": numbered("<IHH", lambda frame, at, count: (frame, at + 1, count)),
    "iii-big": numbered("!III", lambda frame, at, count: (frame, at, count)),
    "qhh-count-first": numbered("<QHH", lambda frame, at, count: (frame, count, at)),
    "dii": numbered("dII", lambda frame, at, count: (NOW + frame / 30, at, count)),
}

NOW = time.time()


def picture(frame):
    """Another picture for each frame; the size changes in the middle."""
    height, width = (480, 640) if frame < 6 else (240, 320)
    rows, columns = np.mgrid[:height, :width]
    planes = [columns + 9 * frame, rows, (rows * columns) >> 6]
    noise = np.random.default_rng(frame).integers(0, 16, (height, width))
    return np.dstack([(plane + noise) % 256 for plane in planes]).astype(np.uint8)


def main():
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for line in sys.stdin:
        form, port, frame = line.split()
        good, encoded = cv2.imencode(".jpg", picture(int(frame)), [cv2.IMWRITE_JPEG_QUALITY, 50])
        assert good
        jpeg = encoded.tobytes()
        for datagram in FORMS[form](jpeg, int(frame)):
            sender.sendto(datagram, ("127.0.0.1", int(port)))
        print(jpeg.hex(), flush=True)


main()
