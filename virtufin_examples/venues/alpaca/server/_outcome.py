"""What a server session asks its shell to do."""

from __future__ import annotations

from dataclasses import dataclass

from virtufin_examples.venues.alpaca._codec import Answer

CLOSE_POLICY = 1008  # RFC 6455, section 7.4.1
CLOSE_INTERNAL = 1011

Entry = tuple[str, str]  # channel, symbol


@dataclass(frozen=True, slots=True)
class Outcome:
    """Messages to send, then a close code (0: stay open).

    `added` are the entries that a client has just subscribed to.
    """

    answers: tuple[Answer, ...] = ()
    close: int = 0
    added: tuple[Entry, ...] = ()
