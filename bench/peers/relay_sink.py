"""The receiver of relay.py: reads into one buffer, and prints the number of bytes and the time of
the first frame as JSON.
"""

import json
import socket
import sys
import time

BUFFER_SIZE = 1 << 20


def main(port, first_size):
    buffer = bytearray(BUFFER_SIZE)
    size, first = 0, None
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while True:
            count = connection.recv_into(buffer)
            if count == 0:
                break
            size += count
            if first is None and size >= first_size:
                first = time.monotonic()
    ended = time.monotonic()
    if first is None:
        raise SystemExit("the connection was cut")
    print(json.dumps({"bytes": size, "first": first - began, "seconds": ended - began}))


main(int(sys.argv[1]), int(sys.argv[2]))
