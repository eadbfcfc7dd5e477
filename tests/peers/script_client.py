"""A viewer as it is written around socket, struct and pickle: the script protocol's client.

Prints one line of JSON a frame, then {"end": true}, or {"end": false} where the server closed
the connection without its farewell.
"""

import argparse
import hashlib
import json
import os
import pickle
import socket
import struct
import time

import numpy as np


def recv_exact(connection, size):
    """Receives exactly `size` bytes, or None where the connection ends before."""
    received = bytearray()
    while len(received) < size:
        part = connection.recv(min(size - len(received), 1 << 20))
        if not part:
            return None
        received += part
    return bytes(received)


def receive(connection):
    """Receives one object, or None where the connection ends."""
    header = recv_exact(connection, 4)
    if header is None:
        return None
    body = recv_exact(connection, struct.unpack("i", header)[0])
    return None if body is None else pickle.loads(body)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("command", choices=["get_image", "get_video"])
    parser.add_argument("--save", metavar="DIR", help="write each frame as .npy")
    options = parser.parse_args()

    with socket.create_connection((options.host, options.port)) as connection:
        connection.sendall(options.command.encode())
        count = 0
        started = None
        while True:
            received = receive(connection)
            if received is None or isinstance(received, bytes):
                break
            now = time.monotonic()
            started = now if started is None else started
            line = {
                "shape": received.shape,
                "dtype": str(received.dtype),
                "md5": hashlib.md5(received.tobytes()).hexdigest(),
                "at": now - started,
            }
            print(json.dumps(line), flush=True)
            if options.save:
                np.save(os.path.join(options.save, "%06d.npy" % count), received)
            count += 1
        print(json.dumps({"end": received == b"end"}), flush=True)


if __name__ == "__main__":
    main()
