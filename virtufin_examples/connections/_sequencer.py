"""Numbers the items of one connection's stream (architecture, invariants 1 and 10). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from virtufin_examples.connections._socket import Message
from virtufin_examples.errors import ResourceLimitError
from virtufin_examples.frames import Frame, FrameFlag

BLOCK_SIZE = 1_000_000
"""Sequences reserved at a time: one write to the state store for a million frames, and what a crash skips."""

LOW_WATER = BLOCK_SIZE // 2
"""With so few left the next block is asked for: half a million frames to come by it."""

MARKER_RESERVE = 1000
"""Sequences of a block that only markers may take: when frames find none left, that can still be said."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a connection's record was made to promise: an epoch and the sequences up to `last_sequence`.

    `first_sequence` is the first that no other process can have used. `lost_since_ns` is not 0 for the first
    epoch of a restarted process: the Unix time since which frames may be missing; the numbers from
    `lost_first_sequence` to `first_sequence - 1` may have been given before.
    """

    epoch: int
    first_sequence: int
    last_sequence: int
    lost_since_ns: int = 0
    lost_first_sequence: int = 0
    lost_epoch: int = 0


class Ledger(Protocol):
    """The connection's record, changed only by compare-and-swap.

    `ConflictError` means that another instance holds the record: this one must stop.
    """

    async def begin_epoch(self) -> Grant:
        """Take the next epoch, and sequences when fewer than `LOW_WATER` may be left."""

    async def confirm(self) -> None:
        """Make sure that the record is still this instance's, as it was when the epoch was taken."""

    async def extend(self) -> int:
        """Reserve the block after the last; return the new last sequence."""


class SequencesExhaustedError(ResourceLimitError):
    """No sequence is reserved any more: the state store did not answer for half a block."""


_TEXT = FrameFlag.NONE
_BINARY = FrameFlag.BINARY
_SIMULATED_TEXT = FrameFlag.SIMULATED
_SIMULATED_BINARY = FrameFlag.SIMULATED | FrameFlag.BINARY


class Sequencer:
    """Gives every item its number, once, rising by one but for the jump after a restart."""

    def __init__(self, connection_id: str, connection_url: str) -> None:
        self._connection_id = connection_id
        self._url = connection_url
        self._next = 1
        self._last = 0

    @property
    def last_sequence(self) -> int:
        """The last number given, 0 before the first."""
        return self._next - 1

    @property
    def is_low(self) -> bool:
        """Whether the next block should be reserved."""
        return self._last - self._next + 1 < LOW_WATER

    def grant(self, first: int, last: int) -> None:
        """Allow the numbers from `first` to `last`; what was allowed and given stays as it is."""
        self._next = max(self._next, first)
        self._last = max(self._last, last)

    def take(self) -> int:
        """Return the number of one marker."""
        self._require(1)
        number = self._next
        self._next += 1
        return number

    def frames(
        self,
        messages: Sequence[Message],
        received_ns: int,
        *,
        epoch: int,
        simulated: bool,
        backfill: bool = False,
    ) -> list[Frame]:
        """Return the messages of one read as numbered frames.

        Raises `SequencesExhaustedError` when the numbers do not suffice for all, and then gives none.
        """
        count = len(messages)
        self._require(count, reserve=MARKER_RESERVE)
        first = self._next
        self._next = first + count
        text, binary = (_SIMULATED_TEXT, _SIMULATED_BINARY) if simulated else (_TEXT, _BINARY)
        if backfill:
            text, binary = text | FrameFlag.BACKFILL, binary | FrameFlag.BACKFILL
        connection_id, url = self._connection_id, self._url
        return [
            Frame(
                "",
                connection_id,
                epoch,
                sequence,
                received_ns,
                payload,
                binary if is_binary else text,
                0,
                url,
            )
            for sequence, (payload, is_binary) in enumerate(messages, first)
        ]

    def _require(self, count: int, *, reserve: int = 0) -> None:
        left = self._last - self._next + 1 - reserve
        if count > left:
            raise SequencesExhaustedError(
                f"connection {self._connection_id}: {count} sequences wanted, {max(0, left)} are reserved",
                hint="the state store does not answer",
            )
