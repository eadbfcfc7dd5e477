"""Errors of the package."""

from __future__ import annotations

import copy
import json

MAX_QUOTED = 200
"""Characters of a text from the server that a message quotes."""


class StreamError(Exception):
    """A request was refused or failed, or the server broke the protocol.

    ``code`` is one of those of the protocol (``bad_request``, ``unauthorized``, ``not_found``,
    ``unsupported``, ``busy``, ``media_error``, ``version``, ``internal``), or ``protocol`` if the
    server sent something invalid, ``changed`` if a file is no longer the one that a response began
    with, ``untrusted`` if its certificate is not the one expected, ``connection_lost``.
    """

    def __init__(self, message: str, code: str = "internal") -> None:
        super().__init__(message)
        self.code = code


class ConnectionLost(StreamError):
    """No connection could be made, or it was lost, and all retries failed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "connection_lost")


def to_raise(error: BaseException) -> BaseException:
    """A kept error as it may be raised more than once: a copy, because the traceback would keep
    alive what its frames refer to, such as images."""
    error = error.with_traceback(None)
    if not isinstance(error, StreamError):  # an internal error, which may not allow copies
        return error
    copied = copy.copy(error)
    copied.__cause__, copied.__suppress_context__ = error.__cause__, True
    return copied


def invalid(message: str) -> StreamError:
    """The error for bytes that break the protocol."""
    return StreamError(f"Cannot understand the server: {message}", "protocol")


def printable(text: object) -> str:
    """A text from the server on one line, without control characters, and shortened."""
    line = str(text)
    if len(line) > MAX_QUOTED:
        line = line[:MAX_QUOTED] + "…"
    return line if line.isprintable() else json.dumps(line)
