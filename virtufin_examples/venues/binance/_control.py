"""Which frames may be control messages, by their first bytes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

_STARTS = (
    b'{"code"',
    b'{"e":"serverShutdown"',
    b'{"error"',
    b'{"id"',
    b'{"msg"',
    b'{"result"',
    b'{"stream":"!serverShutdown"',
)
"""No event starts so. In ascending order, and none starts with another, which `controls` relies on."""


def is_control(payload: bytes) -> bool:
    """Return whether a frame starts as answers and the announcement of a shutdown do."""
    return payload.startswith(_STARTS)


def controls(payloads: Sequence[bytes]) -> Sequence[int]:
    """Return the places of the frames that `is_control` claims.

    In the order of bytes, the frames with one start stand together. So when the least frame of a read is
    above all with a start, and the greatest below the next start, the whole read lies between the two. The
    events of a combined stream are above every start, where the least frame is enough.
    """
    if not payloads:
        return ()
    least = min(payloads)
    above = bisect_right(_STARTS, least)
    if not least.startswith(_STARTS[above - 1 : above]) and (
        above == len(_STARTS) or max(payloads) < _STARTS[above]
    ):
        return ()
    return [place for place, payload in enumerate(payloads) if payload.startswith(_STARTS)]
