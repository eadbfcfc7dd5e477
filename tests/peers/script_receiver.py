"""A receiver as it is written around socket, struct, pickle and OpenCV: it is sent frames, unasked.

Connects to a server, or listens for one. Prints one line of JSON a frame, and {"end": "closed"}, or
{"end": "cut"} where the connection ended inside a frame. With --frames it leaves after so many.
"""

import argparse
import base64
import hashlib
import io
import json
import pickle
import socket
import struct
import sys

import numpy as np

# It takes longer to load than all the rest.
if any(word.endswith(("jpeg", "base64")) for word in sys.argv):
    import cv2


class Cut(Exception):
    """The connection ended inside a frame."""


def recvall(sock, count):
    """The loop that everybody copies: None at the end."""
    buf = b""
    while count:
        newbuf = sock.recv(count)
        if not newbuf:
            if buf:
                raise Cut
            return None
        buf += newbuf
        count -= len(newbuf)
    return buf


def recv_struct(sock, form):
    """data += conn.recv(4096), until there is a length, and until there is a frame."""
    data = b""
    size = struct.calcsize(form)
    while True:
        while len(data) < size:
            packet = sock.recv(4 * 1024)
            if not packet:
                if data:
                    raise Cut
                return
            data += packet
        packed = data[:size]
        data = data[size:]
        length = struct.unpack(form, packed)[0]
        while len(data) < length:
            packet = sock.recv(65536)
            if not packet:
                raise Cut
            data += packet
        yield data[:length]
        data = data[length:]


def recv_i32le(sock, _payload):
    return recv_struct(sock, "i")


def recv_u64le(sock, _payload):
    return recv_struct(sock, "Q")


def recv_u32be(sock, _payload):
    return recv_struct(sock, ">L")


def recv_ascii16(sock, _payload):
    while True:
        length = recvall(sock, 16)
        if length is None:
            return
        data = recvall(sock, int(length))
        if data is None:
            raise Cut
        yield data


def recv_line(sock, _payload):
    for line in sock.makefile("rb"):
        if not line.endswith(b"\n"):
            raise Cut
        yield line.rstrip(b"\n")


class Readable:
    """A stream that numpy takes for no file, whose position it would look for."""

    def __init__(self, stream):
        self.read = stream.read


def recv_none(sock, payload):
    """Without a length: by the marks of a JPEG, the size of the pixels, or the header of a .npy."""
    if payload == "jpeg":
        data = b""
        while True:
            start = data.find(b"\xff\xd8")
            end = data.find(b"\xff\xd9")
            if start != -1 and end != -1:
                yield data[start : end + 2]
                data = data[end + 2 :]
                continue
            packet = sock.recv(65536)
            if not packet:
                if data:
                    raise Cut
                return
            data += packet
    elif payload == "npy":
        stream = sock.makefile("rb")
        while stream.peek(1):
            array = np.lib.format.read_array(Readable(stream))
            copy = io.BytesIO()
            np.save(copy, array)
            yield copy.getvalue()
    else:
        size = int(np.prod(shape_of(payload)))
        while True:
            data = recvall(sock, size)
            if data is None:
                return
            yield data


def shape_of(payload):
    """Of raw:WxH:FORMAT."""
    _, size, form = payload.split(":")
    width, height = map(int, size.split("x"))
    if form == "yuv420p":
        return (height * 3 // 2, width)
    channels = {"gray": 1, "bgr24": 3, "rgb24": 3, "bgra": 4}[form]
    return (height, width) if channels == 1 else (height, width, channels)


def decode(data, payload):
    """The picture, and the JPEG that it came as."""
    if payload == "pickle":
        return pickle.loads(data), None
    if payload == "npy":
        return np.load(io.BytesIO(data)), None
    if payload.startswith("raw:"):
        return np.frombuffer(data, dtype=np.uint8).reshape(shape_of(payload)), None
    if payload == "pickled-jpeg":
        array = pickle.loads(data)
        assert isinstance(array, np.ndarray) and array.shape == (array.size,), array
        return cv2.imdecode(array, 1), array.tobytes()
    jpeg = base64.b64decode(data, validate=True) if payload == "base64" else data
    return cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR), jpeg


def say(line):
    print(json.dumps(line), flush=True)


def receive(sock, options):
    length, payload = options.framing.split("+")
    count = 0
    try:
        for data in globals()["recv_" + length](sock, payload):
            frame, jpeg = decode(data, payload)
            line = {"shape": frame.shape, "md5": hashlib.md5(frame.tobytes()).hexdigest()}
            if jpeg is not None:
                line["jpeg"] = hashlib.md5(jpeg).hexdigest()
            say(line)
            count += 1
            if options.ack:
                sock.sendall(options.ack.encode())
            if options.wait and count == 1:
                sys.stdin.readline()
            if count == options.frames:
                return
        say({"end": "closed"})
    except Cut:
        say({"end": "cut"})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("framing", help="as u64le+pickle")
    parser.add_argument("--connect", metavar="PORT", type=int)
    parser.add_argument("--listen", metavar="PORT", type=int, help="0 for any free one")
    parser.add_argument("--connections", type=int, default=1, help="with --listen")
    parser.add_argument("--frames", type=int, help="leave after so many")
    parser.add_argument("--ack", help="sent after each frame")
    parser.add_argument("--wait", action="store_true", help="take one, then wait for a line")
    options = parser.parse_args()

    if options.listen is None:
        sock = socket.socket()
        if options.wait:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.connect(("127.0.0.1", options.connect))
        with sock:
            receive(sock, options)
        return
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", options.listen))
        listener.listen()
        say({"port": listener.getsockname()[1]})
        for _ in range(options.connections):
            sock, _ = listener.accept()
            with sock:
                receive(sock, options)


if __name__ == "__main__":
    main()
