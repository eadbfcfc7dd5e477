"""Compares what one side has sent with what the other has received."""

from __future__ import annotations

from typing import Any, Dict, Tuple

from .._errors import invalid, printable

Counts = Dict[int, Tuple[int, int]]
"""Frames and bytes by stream id."""


def check_totals(end: Dict[str, Any], counts: Counts, here: str, there: str) -> None:
    """Compares the totals of an end with the own ones, if it has some.

    Args:
        here: what the frames did on this side, for the message
        there: what they did on the server's

    Raises:
        StreamError: ``protocol`` if they differ
    """
    entries = end.get("streams")
    if entries is None:
        return
    said: Dict[int, Tuple[object, object]] = {}
    for entry in entries if isinstance(entries, list) else [None]:
        number = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(number, int) or not isinstance(entry, dict):
            raise invalid("the end has totals of no stream")
        said[number] = (entry.get("frames"), entry.get("bytes"))
    for number in {*said, *counts}:
        frames, size = counts.get(number, (0, 0))
        other = said.get(number, (0, 0))
        if (frames, size) != other:
            raise invalid(
                f"{frames} frames of {size} bytes {here} of stream {number}, and it {there}"
                f" {printable(other[0])} of {printable(other[1])}"
            )
    total = sum(size for _, size in counts.values())
    if end.get("bytes") not in (None, total):
        raise invalid(f"{total} bytes {here}, and it {there} {printable(end.get('bytes'))}")
