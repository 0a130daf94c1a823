"""What a server session asks its shell to do."""

from __future__ import annotations

from dataclasses import dataclass

CLOSE_GOING_AWAY = 1001  # RFC 6455, section 7.4.1
CLOSE_POLICY = 1008


@dataclass(frozen=True, slots=True)
class Outcome:
    """Text frames to send, a ping if it has a payload, then a close code (0: stay open).

    `added` are streams that the client has just subscribed to.
    """

    answers: tuple[bytes, ...] = ()
    ping: bytes = b""
    close: int = 0
    added: tuple[str, ...] = ()
