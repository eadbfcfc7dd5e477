"""The minimum between FFmpeg and the network: moves FFmpeg's output from a pipe to a socket in the
kernel, without looking at it.

Prints the port it listens on, sends a file, or some raw frames of it, to the first client, and
prints the bytes moved and FFmpeg's processor time in seconds, as JSON.
"""

import fcntl
import json
import os
import resource
import socket
import subprocess
import sys

PIPE_SIZE = 1 << 20


def relay(source, target):
    """Moves everything, and counts the bytes."""
    total = 0
    while True:
        count = os.splice(source, target, PIPE_SIZE)
        if count == 0:
            return total
        total += count


def main(path, frames):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        connection, _ = listener.accept()
    source, output = os.pipe()
    fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", "0:v:0",
               "-frames:v", frames, "-c:v", "rawvideo", "-f", "nut", "pipe:1"]
    with connection, subprocess.Popen(command, stdout=output) as ffmpeg:
        os.close(output)
        total = relay(source, connection.fileno())
        connection.shutdown(socket.SHUT_WR)
    if ffmpeg.returncode != 0:
        raise SystemExit("FFmpeg failed")
    taken = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"bytes": total, "ffmpeg": taken.ru_utime + taken.ru_stime}), flush=True)


main(sys.argv[1], sys.argv[2])
