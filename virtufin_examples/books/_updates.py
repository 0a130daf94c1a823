"""What a book is built from: a snapshot and the changes after it."""

from __future__ import annotations

import enum

import msgspec

from virtufin_examples.books._side import Level


class Snapshot(msgspec.Struct, frozen=True):
    """A whole book as it was after update `last_id`."""

    last_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class Diff(msgspec.Struct, frozen=True, gc=False):
    """The levels that updates `first_id` to `last_id` changed, with their whole size (0: gone).

    `previous_id` is the last id of the event before, where the venue says so.
    """

    first_id: int
    last_id: int
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    previous_id: int | None = None


class Rule(enum.StrEnum):
    """How a venue's events follow each other.

    Sources: binance-spot-api-docs, web-socket-streams, "How to manage a local order book correctly"; the
    same section of the USD-M futures documentation.
    """

    SPOT = "spot"  # straddle: U <= id + 1 <= u; then U <= id + 1
    FUTURES = "futures"  # straddle: U <= id <= u; then pu == id

    def is_old(self, diff: Diff, snapshot_id: int) -> bool:
        """Whether a snapshot already holds an event."""
        return diff.last_id <= snapshot_id if self is Rule.SPOT else diff.last_id < snapshot_id

    def straddles(self, diff: Diff, snapshot_id: int) -> bool:
        """Whether an event that is not old joins on to a snapshot."""
        return diff.first_id <= (snapshot_id + 1 if self is Rule.SPOT else snapshot_id)

    def follows(self, diff: Diff, last_id: int) -> bool:
        """Whether nothing is missing between an event and the one before."""
        if self is Rule.SPOT or diff.previous_id is None:
            return diff.first_id <= last_id + 1
        return diff.previous_id == last_id
