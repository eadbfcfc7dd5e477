"""A server as it is written around OpenCV, socket, struct and pickle: the script protocol's server.

Serves the first image and the first video of a folder, to one client at a time, until it is ended.
"""

import argparse
import os
import pickle
import socket
import struct
import sys
import time

import cv2

IMAGES = (".bmp", ".jpeg", ".jpg", ".png")
VIDEOS = (".avi", ".gif", ".mkv", ".mov", ".mp4", ".webm")


def first_file(folder, endings):
    """Path of the first file by name that has one of the endings."""
    for name in sorted(os.listdir(folder)):
        if name.lower().endswith(endings):
            return os.path.join(folder, name)
    raise FileNotFoundError("No file with one of %s in %s" % (", ".join(endings), folder))


def image(folder):
    """The image, as a sequence of one frame."""
    yield cv2.imread(first_file(folder, IMAGES))


def video(folder, fps):
    """The frames of the video, with a pause behind each where `fps` is given."""
    capture = cv2.VideoCapture(first_file(folder, VIDEOS))
    try:
        while True:
            good, frame = capture.read()
            if not good:
                return
            yield frame
            if fps:
                time.sleep(1 / fps)
    finally:
        capture.release()


def send(connection, value, protocol):
    body = pickle.dumps(value, protocol=protocol)
    connection.sendall(struct.pack("i", len(body)) + body)


def serve(connection, options):
    command = connection.recv(1024).decode()
    if command == "get_image":
        frames = image(options.media)
    elif command == "get_video":
        frames = video(options.media, options.fps)
    else:
        return
    for frame in frames:
        send(connection, frame, options.protocol)
    send(connection, b"end", options.protocol)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("media", metavar="MEDIA_DIR")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--protocol", type=int, help="of the pickles; Python's own default")
    parser.add_argument("--fps", type=float, help="frames a second; as fast as possible without")
    options = parser.parse_args()

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", options.port))
        listener.listen()
        print("Listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                try:
                    serve(connection, options)
                except (BrokenPipeError, ConnectionResetError) as error:
                    print("Client left: %s" % error, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
