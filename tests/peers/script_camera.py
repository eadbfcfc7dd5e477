"""A camera as it is written around OpenCV, socket, struct and pickle: it connects, or it listens.

Sends frames of noise in one framing. What was sent is kept in a folder, frame by frame.
"""

import argparse
import base64
import io
import os
import pickle
import socket
import struct

import cv2
import numpy as np

LENGTHS = {
    "i32le": lambda size: struct.pack("<i", size),
    "u64le": lambda size: struct.pack("Q", size),
    "u32be": lambda size: struct.pack(">L", size),
    "ascii16": lambda size: str(size).ljust(16).encode(),
    "none": lambda size: b"",
    "line": lambda size: b"",
}


def picture(number, kind):
    """A picture of a size that no other test has: 40 x 30."""
    random = np.random.default_rng(number)
    if kind == "depth":
        return random.integers(0, 65536, (30, 40), dtype=np.uint16)
    if kind == "grey":
        return random.integers(0, 256, (30, 40), dtype=np.uint8)
    if kind == "alpha":
        return random.integers(0, 256, (30, 40, 4), dtype=np.uint8)
    if kind == "float":
        return random.random((30, 40), dtype=np.float32)
    blurred = cv2.GaussianBlur(random.integers(0, 256, (30, 40, 3), dtype=np.uint8), (9, 9), 0)
    return np.asfortranarray(blurred) if kind == "fortran" else blurred


def payload(image, number, kind):
    """One message, and the JPEG in it if there is one."""
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90]) if image.dtype == np.uint8 \
        else (None, None)
    if kind == "jpeg":
        return jpeg.tobytes(), jpeg
    if kind == "base64":
        return base64.b64encode(jpeg), jpeg
    if kind == "pickled-jpeg":
        return pickle.dumps(jpeg, 0), jpeg
    if kind == "pickled-bytes":
        return pickle.dumps(jpeg.tobytes()), jpeg
    if kind == "pair":
        return pickle.dumps((True, jpeg)), jpeg
    if kind == "dict":
        return pickle.dumps({"id": number, "frame": image, "pose": [0.5, number]}), None
    if kind == "npy":
        file = io.BytesIO()
        np.save(file, image)
        return file.getvalue(), None
    if kind == "raw":
        return image.tobytes(), None
    return pickle.dumps(image), None


def converse(connection, options):
    if options.request:
        assert connection.recv(1024) == options.request.encode()
    for number in range(options.frames):
        image = picture(number, options.payload)
        body, jpeg = payload(image, number, options.payload)
        with open(os.path.join(options.folder, "%d.raw" % number), "wb") as file:
            file.write(image.tobytes())
        if jpeg is not None:
            with open(os.path.join(options.folder, "%d.jpg" % number), "wb") as file:
                file.write(jpeg.tobytes())
        ending = b"\n" if options.length == "line" else b""
        connection.sendall(LENGTHS[options.length](len(body)) + body + ending)
        if options.ack:
            assert connection.recv(1024) == options.ack.encode()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--connect", type=int, metavar="PORT", help="listens without")
    parser.add_argument("--length", choices=LENGTHS)
    parser.add_argument("--payload")
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--request", help="expected first")
    parser.add_argument("--ack", help="expected after each frame")
    options = parser.parse_args()

    if options.connect:
        with socket.create_connection(("127.0.0.1", options.connect)) as connection:
            return converse(connection, options)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        print("Listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
        connection, _ = listener.accept()
        with connection:
            converse(connection, options)


if __name__ == "__main__":
    main()
