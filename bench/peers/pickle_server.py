"""A typical video server with OpenCV, socket, struct and pickle, without sleeps.

Prints the port it listens on, sends the frames of a file to the first client, and exits.
"""

import pickle
import socket
import struct
import sys

import cv2


def send(connection, value):
    body = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    connection.sendall(struct.pack("<Q", len(body)) + body)


def main(path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        connection, _ = listener.accept()
        with connection:
            capture = cv2.VideoCapture(path)
            while True:
                good, frame = capture.read()
                if not good:
                    break
                send(connection, frame)
            send(connection, None)


main(sys.argv[1])
