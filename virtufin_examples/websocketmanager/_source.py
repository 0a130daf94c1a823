"""What a topic's publisher is given: a connection, and how the topic is published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from virtufin_examples.frames import ConnectionBeat, Encoding, Markers, Overflow
from virtufin_examples.websocketmanager.spool import Mark


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """How a topic is published.

    `overflow` is what happens to what the bus does not take: `spool` (the default) keeps it on disk, `block`
    stops reading from the sockets, `drop_oldest` drops with an announced gap.
    """

    encoding: Encoding = Encoding.FRAME
    overflow: Overflow = Overflow.SPOOL
    markers: Markers = Markers.COMPANION


class Source(Protocol):
    """A connection whose stream comes here."""

    @property
    def id(self) -> str: ...

    @property
    def settled(self) -> Mark:
        """How far its stream was published before it came here."""

    def beat(self, last_sequence: int) -> ConnectionBeat:
        """Return its part of a heartbeat, having published up to `last_sequence`."""

    async def confirm(self) -> None:
        """Make sure that it is still this process's; `ConflictError` when it is not."""

    def note(self, error_type: str, reason: str) -> None:
        """Tell the user that something is wrong with what becomes of its frames."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...
