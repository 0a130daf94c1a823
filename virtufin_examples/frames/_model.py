"""The items of a stream (architecture, "What a topic carries"). Times are Unix time in nanoseconds."""

from __future__ import annotations

import enum
from typing import TypeAlias

import msgspec


class Encoding(enum.StrEnum):
    """How frames travel on a topic."""

    FRAME = "frame"
    BATCH = "batch"


class Overflow(enum.StrEnum):
    """What a full queue does."""

    SPOOL = "spool"
    BLOCK = "block"
    DROP_OLDEST = "drop_oldest"


class Markers(enum.StrEnum):
    """Where markers and heartbeats go: the same topic, `<topic>.events`, or nowhere."""

    INLINE = "inline"
    COMPANION = "companion"
    NONE = "none"


class Cause(enum.StrEnum):
    """Why frames are missing."""

    RECONNECT = "reconnect"
    OVERFLOW = "overflow"
    RESTART = "restart"
    PROTOCOL = "protocol"
    VENUE_SEQUENCE = "venue_sequence"
    BUS = "bus"
    UNPUBLISHED = "unpublished"


class FrameFlag(enum.IntFlag):
    """Flags of one frame; the bits are those of `virtufin.v1.FrameFlag`."""

    NONE = 0
    BINARY = 1
    BACKFILL = 2
    RECOVERED = 4
    SIMULATED = 8


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One message of a source, bytes verbatim."""

    topic: str
    connection_id: str
    epoch: int
    sequence: int
    received_ns: int
    data: bytes
    flags: FrameFlag = FrameFlag.NONE
    venue_sequence: int = 0
    connection_url: str = ""

    @property
    def text(self) -> str:
        """The frame as text; raises `UnicodeDecodeError` for a binary frame that is none."""
        return self.data.decode()

    @property
    def simulated(self) -> bool:
        """Whether a simulator sent it."""
        return bool(self.flags & FrameFlag.SIMULATED)

    @property
    def backfilled(self) -> bool:
        """Whether it was fetched after a gap: it did not come by the stream, nor in the stream's order."""
        return bool(self.flags & FrameFlag.BACKFILL)


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Frames known or suspected missing between `from_ns` and `to_ns`.

    `first_sequence` and `last_sequence` bound it where frames had been numbered. `sequence` is the
    marker's own number, 0 for a gap that the subscriber itself found.
    """

    topic: str
    connection_id: str
    epoch_before: int
    epoch_after: int
    cause: Cause
    from_ns: int
    to_ns: int
    ended: bool = True
    sequence: int = 0
    first_sequence: int = 0
    last_sequence: int = 0
    symbols: tuple[str, ...] = ()
    venue_from: int = 0
    venue_to: int = 0


class Stale(msgspec.Struct, frozen=True, kw_only=True):
    """Symbols (none named: the whole connection) that have stopped arriving."""

    topic: str
    connection_id: str
    epoch: int
    sequence: int
    since_ns: int
    symbols: tuple[str, ...] = ()
    reason: str = ""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """Symbols (none named: the whole connection) that arrive again."""

    topic: str
    connection_id: str
    epoch: int
    sequence: int
    since_ns: int
    symbols: tuple[str, ...] = ()


class ConnectionBeat(msgspec.Struct, frozen=True, kw_only=True):
    """One connection's part of a heartbeat."""

    connection_id: str
    state: str
    epoch: int
    last_received_ns: int
    last_sequence: int = 0
    queued_bytes: int = 0


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """Says that a publisher of a topic lives, and how far the numbers of each of its connections go.

    One of kind `busy` was sent while frames were: it may overtake them, so its numbers prove nothing.
    `publisher` is a name that no other publisher of the topic has; empty where one does not tell.
    """

    topic: str
    kind: str  # start, beat, busy or stop
    sent_ns: int
    connections: tuple[ConnectionBeat, ...] = ()
    publisher: str = ""


class Silent(msgspec.Struct, frozen=True, kw_only=True):
    """Neither message nor heartbeat since `since_ns`. `hint` names topics that do have a heartbeat.

    `connections` are those that it tells of, while others go on; none named: the whole topic.
    """

    topic: str
    since_ns: int
    hint: str = ""
    connections: tuple[str, ...] = ()


class Late(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that came after its gap had been announced; yielded only when asked for."""

    frame: Frame


Marker: TypeAlias = Gap | Stale | Restored
Item: TypeAlias = Frame | Gap | Stale | Restored | Silent | Late
