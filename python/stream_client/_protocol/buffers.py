"""Memory for payloads, which is reused when nothing refers to it any more."""

from __future__ import annotations

import platform
from typing import Callable, List

FIRST_PART = 1 << 20
"""Bytes that are allocated on a peer's word alone."""

LEAST_POOLED = 256 << 10
"""Bytes of the smallest buffer that is worth keeping."""

MOST_POOLED = 256 << 20
"""Bytes that are kept in all."""

REPORTS_USE = platform.python_implementation() == "CPython"
"""A ``bytearray`` refuses to change its length while a view of it exists."""


class BufferPool:
    """Hands out ``bytearray`` of a size. Those that no view refers to are handed out again.

    A peer that announces more than it ever sent gets memory only as its bytes arrive.
    """

    def __init__(self) -> None:
        self._buffers: List[bytearray] = []
        self._proven = FIRST_PART

    def read(self, size: int, read_into: Callable[[memoryview], None]) -> memoryview:
        """Reads ``size`` bytes into a buffer.

        Args:
            read_into: fills what it is given, or raises
        """
        if size <= self._proven:
            view = memoryview(self.take(size))
            read_into(view)
            return view
        parts = bytearray()
        while len(parts) < size:
            filled = len(parts)
            parts += bytes(min(size - filled, max(filled, self._proven)))
            with memoryview(parts)[filled:] as part:
                read_into(part)
        self._proven = size
        return memoryview(parts)

    def take(self, size: int) -> bytearray:
        """A buffer with any content."""
        if size < LEAST_POOLED:
            return bytearray(size)
        self._buffers = [kept for kept in self._buffers if len(kept) == size]
        for kept in self._buffers:
            if _is_free(kept):
                return kept
        buffer = bytearray(size + 1)  # room for the byte by which use is tested
        del buffer[-1]
        if REPORTS_USE and (len(self._buffers) + 1) * size <= MOST_POOLED:
            self._buffers.append(buffer)
        return buffer


def _is_free(buffer: bytearray) -> bool:
    try:
        buffer.append(0)
    except BufferError:
        return False
    del buffer[-1]
    return True
