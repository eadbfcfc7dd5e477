"""Retries with growing pauses."""

from __future__ import annotations

import random
from typing import Optional

from .._errors import ConnectionLost, StreamError

DEFAULT_RETRIES = 5
FIRST_DELAY, MAX_DELAY, JITTER = 1.0, 30.0, 0.25
"""Seconds, and the part by which a pause is longer or shorter."""


class Retries:
    """Counts failed attempts in a row.

    Args:
        limit: attempts after the first; default: none before a connection was made once, so that a
            wrong address is told at once, and five afterwards
    """

    def __init__(self, limit: Optional[float] = None) -> None:
        if limit is not None and not (isinstance(limit, (int, float)) and limit >= 0):
            raise ValueError(f"Cannot retry {limit!r} times: expected a number from 0 up")
        self.is_asked_for = limit is not None
        """The user has set the limit."""
        self._first = 0.0 if limit is None else limit
        self._later = float(DEFAULT_RETRIES) if limit is None else limit
        self._count = 0
        self._delay = FIRST_DELAY

    def next_delay(self, error: StreamError, was_connected: bool) -> float:
        """Seconds until the next attempt.

        Raises:
            StreamError: the error, if all attempts were made
        """
        if self._count >= (self._later if was_connected else self._first):
            if self._count == 0:
                raise error
            times = "once" if self._count == 1 else f"{self._count} times"
            message = f"{error}; tried again {times}"
            is_lost = isinstance(error, ConnectionLost)
            raise (
                ConnectionLost(message) if is_lost else StreamError(message, error.code)
            ) from error
        self._count += 1
        delay = self._delay * (1 + JITTER * random.uniform(-1, 1))
        self._delay = min(self._delay * 2, MAX_DELAY)
        return min(max(delay, FIRST_DELAY), MAX_DELAY)

    def reset(self) -> None:
        """Starts counting again; to be called when something has arrived."""
        self._count, self._delay = 0, FIRST_DELAY
