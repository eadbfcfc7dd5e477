"""A terminal that says of itself what it is told to, and hands on all that is drawn on it.

Usage: terminal.py ANSWER COLUMNS ROWS COMMAND...

ANSWER is what it says when it is asked for its device attributes, with Python's escapes. On its
standard input it takes lines: "keys TEXT" presses keys, "stop" has it take nothing any more, "go"
goes on with it, "size COLUMNS ROWS" changes its size.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios

QUESTION = b"\x1b[c"


def resize(terminal: int, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main() -> int:
    answer = sys.argv[1].encode().decode("unicode_escape").encode("latin-1")
    columns, rows = int(sys.argv[2]), int(sys.argv[3])
    child, terminal = pty.fork()
    if child == 0:
        # The first thing the program sees is the right size.
        resize(0, columns, rows)
        os.execvp(sys.argv[4], sys.argv[4:])
    taking = True
    asked = b""
    while True:
        sources = [0, terminal] if taking else [0]
        ready, _, _ = select.select(sources, [], [])
        if terminal in ready:
            try:
                drawn = os.read(terminal, 65536)
            except OSError:
                drawn = b""
            if drawn == b"":
                break
            asked += drawn
            if QUESTION in asked:
                asked = b""
                os.write(terminal, answer)
            asked = asked[-len(QUESTION) :]
            os.write(1, drawn)
        if 0 in ready:
            for line in os.read(0, 4096).decode().splitlines():
                word, _, rest = line.partition(" ")
                if word == "keys":
                    os.write(terminal, rest.encode())
                elif word == "size":
                    resize(terminal, *map(int, rest.split()))
                else:
                    taking = word == "go"
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


sys.exit(main())
