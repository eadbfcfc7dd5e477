"""Sends the frames of a file as imagezmq does: ZeroMQ's request and reply, a JSON header with
shape and type, then the array.

Prints the port it listens on, sends to the first client, and exits. An empty array is the end.
"""

import sys

import cv2
import numpy
import zmq


def send(requests, frame):
    """Sends one array, and waits for the reply."""
    header = {"dtype": str(frame.dtype), "shape": frame.shape}
    requests.send_json(header, zmq.SNDMORE)
    requests.send(frame, copy=True)
    requests.recv()


def main(path):
    capture = cv2.VideoCapture(path)
    requests = zmq.Context().socket(zmq.REQ)
    print(requests.bind_to_random_port("tcp://127.0.0.1"), flush=True)
    while True:
        good, frame = capture.read()
        if not good:
            break
        send(requests, frame)
    send(requests, numpy.empty((0,), numpy.uint8))


main(sys.argv[1])
