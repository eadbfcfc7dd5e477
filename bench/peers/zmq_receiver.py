"""The receiver of zmq_sender.py: receives all frames from a port, and prints the totals as JSON."""

import json
import sys
import time

import numpy
import zmq


def receive(replies):
    """Receives one array, and acknowledges it."""
    header = replies.recv_json()
    data = replies.recv(copy=True)
    frame = numpy.frombuffer(data, dtype=header["dtype"]).reshape(header["shape"])
    replies.send(b"OK")
    return frame


def main(port):
    frames, size, first = 0, 0, None
    began = time.monotonic()
    replies = zmq.Context().socket(zmq.REP)
    replies.connect("tcp://127.0.0.1:%d" % port)
    while True:
        frame = receive(replies)
        if frame.size == 0:
            break
        frames += 1
        size += frame.nbytes
        if first is None:
            first = time.monotonic()
    ended = time.monotonic()
    print(json.dumps({"frames": frames, "bytes": size,
                      "first": first - began, "seconds": ended - began}))


main(int(sys.argv[1]))
