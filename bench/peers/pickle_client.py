"""The client of pickle_server.py: receives all frames, and prints the totals as JSON."""

import json
import pickle
import socket
import struct
import sys
import time

SIZE = struct.Struct("<Q")


def receive(connection, size):
    """Reads exactly this many bytes into the final buffer."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = connection.recv_into(view)
        if count == 0:
            raise SystemExit("the connection was cut")
        view = view[count:]
    return data


def main(port):
    frames, size, first = 0, 0, None
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while True:
            (length,) = SIZE.unpack(receive(connection, SIZE.size))
            frame = pickle.loads(receive(connection, length))
            if frame is None:
                break
            frames += 1
            size += frame.nbytes
            if first is None:
                first = time.monotonic()
    ended = time.monotonic()
    print(json.dumps({"frames": frames, "bytes": size,
                      "first": first - began, "seconds": ended - began}))


main(int(sys.argv[1]))
