"""Takes the newest frame of a live source for each line of its input, and prints its number.

    newest_receiver.py PORT NAME

The number is in the first four bytes of a frame, big-endian.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "python"))

from stream_client import Stream  # noqa: E402


def main(port, name):
    with Stream("127.0.0.1", name, port=port, latest=True) as stream:
        for _ in sys.stdin:
            print(int.from_bytes(next(stream).bytes[:4], "big"), flush=True)


main(int(sys.argv[1]), sys.argv[2])
