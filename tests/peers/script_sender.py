"""A camera as it is written around OpenCV, socket, struct and pickle: it listens, or connects and pushes.

Prints "Listening on HOST:PORT" if it listens, "frame N SECONDS" after each frame, by the system's
monotonic clock, and "asked TEXT" for what it was sent. Frames are functions of their number.
"""

import argparse
import base64
import io
import pickle
import socket
import struct
import sys
import time

import numpy as np

# Type of the values, and channels: blue, green, red, alpha.
ARRAYS = {
    "uint8": (np.uint8, 3),
    "gray": (np.uint8, 1),
    "bgra": (np.uint8, 4),
    "fortran": (np.uint8, 3),
    "uint16": (np.uint16, 1),
    "uint16x3": (np.uint16, 3),
    "uint16x4": (np.uint16, 4),
    "float32": (np.float32, 1),
    "float32x3": (np.float32, 3),
}


def read_frame(number, options):
    """A gradient that moves by the number, as an array of height x width x channels."""
    width, height = options.size
    if options.change_size and number >= options.frames // 2:
        width, height = 2 * width, height + 2
    dtype, channels = ARRAYS[options.array]
    y, x, channel = np.ogrid[:height, :width, :channels]
    values = 3 * x + 5 * y + 40 * channel + 7 * number
    if dtype == np.uint8:
        values = values % 256
    elif dtype == np.uint16:
        values = values * 101 % 65536
    else:
        values = values / 1024
    frame = values.astype(dtype)
    if options.array == "fortran":
        return np.asfortranarray(frame)
    return frame[:, :, 0] if channels == 1 else frame


def encode_jpeg(number, frame, options):
    import cv2

    good, buffer = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90])
    if options.save:
        with open("%s/%d.jpg" % (options.save, number), "wb") as file:
            file.write(buffer)
    return buffer


def around(number, image, options):
    """The image alone, or with a number and a text beside it."""
    if options.around == "dict":
        return {"number": number, "text": "frame %d, süd" % number, "image": image}
    if options.around == "tuple":
        return number, "frame %d, süd" % number, image
    return image


def make_payload(number, options):
    frame = read_frame(number, options)
    if options.payload == "raw":
        return frame.tobytes()
    if options.payload == "npy":
        file = io.BytesIO()
        np.save(file, frame)
        return file.getvalue()
    if options.payload == "pickle":
        return pickle.dumps(around(number, frame, options), protocol=options.protocol)
    buffer = encode_jpeg(number, frame, options)
    if options.payload == "pickled-jpeg":
        return pickle.dumps(around(number, buffer, options), protocol=options.protocol)
    if options.payload == "pickled-jpeg-bytes":
        return pickle.dumps(around(number, buffer.tobytes(), options), protocol=options.protocol)
    if options.payload == "base64":
        return base64.b64encode(buffer)
    return buffer.tobytes()


def add_framing(data, framing):
    if framing == "i32le":
        return struct.pack("i", len(data)) + data
    if framing == "u64le":
        return struct.pack("Q", len(data)) + data
    if framing == "u32be":
        return struct.pack(">L", len(data)) + data
    if framing == "ascii16":
        return str(len(data)).ljust(16).encode() + data
    if framing == "line":
        return data + b"\n"
    return data


def wait_for(connection, word):
    """Waits for a word, or for anything at all."""
    heard = connection.recv(1024)
    print("asked %s" % heard.decode(), flush=True)
    if not heard or (word and heard.decode() != word):
        raise ConnectionError("The other end said %r" % heard)


def stream(connection, options):
    if options.wait_request and not options.each:
        wait_for(connection, options.wait_request)
    for number in range(options.frames):
        if options.wait_request and options.each:
            wait_for(connection, options.wait_request)
        message = add_framing(make_payload(number, options), options.framing)
        connection.sendall(message)
        print("frame %d %.6f" % (number, time.monotonic()), flush=True)
        if options.enter and number == 0:
            sys.stdin.readline()
        if options.wait_ack:
            wait_for(connection, None)
        if options.fps:
            time.sleep(1 / options.fps)
    if options.cut_inside:
        message = add_framing(make_payload(options.frames, options), options.framing)
        connection.sendall(message[: len(message) // 2])


def listen(options):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", options.listen))
        listener.listen()
        print("Listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
        for _ in range(options.times):
            connection, _ = listener.accept()
            with connection:
                try:
                    stream(connection, options)
                except ConnectionError as error:
                    print("Viewer left: %s" % error, flush=True)


def push(options):
    for _ in range(options.times):
        with socket.create_connection(("127.0.0.1", options.connect)) as connection:
            stream(connection, options)


def main():
    parser = argparse.ArgumentParser()
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--listen", metavar="PORT", type=int)
    where.add_argument("--connect", metavar="PORT", type=int)
    parser.add_argument("--framing", default="none",
                        choices=["i32le", "u64le", "u32be", "ascii16", "line", "none"])
    parser.add_argument("--payload", default="pickle",
                        choices=["pickle", "pickled-jpeg", "pickled-jpeg-bytes", "jpeg", "raw",
                                 "base64", "npy"])
    parser.add_argument("--array", choices=ARRAYS, default="uint8")
    parser.add_argument("--around", choices=["dict", "tuple"], help="of what is pickled")
    parser.add_argument("--protocol", type=int, help="of the pickles; Python's own default")
    parser.add_argument("--size", type=lambda text: tuple(map(int, text.split("x"))),
                        default=(48, 32), help="WIDTHxHEIGHT")
    parser.add_argument("--change-size", action="store_true", help="after half of the frames")
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--fps", type=float, help="frames a second; as fast as possible without")
    parser.add_argument("--wait-request", metavar="WORD", help="send nothing until it is asked")
    parser.add_argument("--each", action="store_true", help="wait for a request before each frame")
    parser.add_argument("--wait-ack", action="store_true", help="for an answer to each frame")
    parser.add_argument("--ready", action="store_true",
                        help='print "Ready" and wait for Enter before anything else')
    parser.add_argument("--enter", action="store_true", help="wait for Enter after the first frame")
    parser.add_argument("--cut-inside", action="store_true", help="end in the middle of a frame")
    parser.add_argument("--times", type=int, default=1, help="connections, one after the other")
    parser.add_argument("--save", metavar="DIR", help="write each JPEG")
    options = parser.parse_args()
    if options.payload not in ("pickle", "raw", "npy"):
        # Loaded before anybody waits for a frame.
        import cv2

        cv2.setNumThreads(1)
    if options.ready:
        print("Ready", flush=True)
        sys.stdin.readline()
    if options.listen is not None:
        listen(options)
    else:
        push(options)


if __name__ == "__main__":
    main()
