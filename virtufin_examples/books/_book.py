"""The book of one symbol: true, or it refuses to be read."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from virtufin_examples.books._scale import decimal_of
from virtufin_examples.books._side import Side
from virtufin_examples.books._updates import Diff, Rule, Snapshot
from virtufin_examples.errors import InvalidInputError, PreconditionError

MOST_BUFFERED = 10_000
"""Events kept while a snapshot is awaited: 1,000 s of a 100 ms stream. The oldest go first; a snapshot that
is older than what is left is refused and asked for again.
"""


class BookUntrueError(PreconditionError):
    """The book may differ from the venue's now, so that reading it would mislead."""


class State(enum.StrEnum):
    """What a book waits for."""

    EMPTY = "empty"  # a snapshot
    PENDING = "pending"  # the first event after the snapshot, which shows whether it joins on
    TRUE = "true"
    DOUBTED = "doubted"  # the next event, which shows whether something is missing


class Outcome(enum.StrEnum):
    """What an event did."""

    BUFFERED = "buffered"  # kept until there is a snapshot
    APPLIED = "applied"
    OLD = "old"  # the book had it already: a repeat, or older than the snapshot
    GAP = "gap"  # events are missing: the book starts again and needs a snapshot


class BookLevel(NamedTuple):
    """A price and the whole size that rests there."""

    price: Decimal
    size: Decimal


class Book:
    """Built by the venue's rule: buffer events, take a snapshot, join them, apply, start again on a gap.

    No I/O: whoever drives it fetches a snapshot while `needs_snapshot` is true. Reading raises
    `BookUntrueError` unless the state is `TRUE`. Levels outside the snapshot (5,000 a side at most) are
    unknown until they change.
    """

    def __init__(self, symbol: str, rule: Rule = Rule.SPOT, *, most_buffered: int = MOST_BUFFERED) -> None:
        self.symbol = symbol
        self.rule = rule
        self.gaps = 0
        """How often the book had to start again."""
        self._state = State.EMPTY
        self._reason = "no snapshot yet"
        self._bids = Side()
        self._asks = Side()
        self._last_id = 0
        self._buffer: deque[Diff] = deque(maxlen=most_buffered)

    @property
    def state(self) -> State:
        """What the book waits for, or `TRUE`."""
        return self._state

    @property
    def needs_snapshot(self) -> bool:
        """Whether a snapshot has to be fetched. Fetch it after the first event: an older one is refused."""
        return self._state is State.EMPTY

    @property
    def last_id(self) -> int:
        """The venue's number of the last update in the book."""
        self._require_true()
        return self._last_id

    # --- what it is fed ---

    def apply(self, diff: Diff) -> Outcome:
        """Take an event. `InvalidInputError` for levels that are no decimals; the book then starts again."""
        if diff.last_id < diff.first_id:
            raise InvalidInputError(f"{self.symbol}: an event from {diff.first_id} to {diff.last_id}")
        if self._state is State.EMPTY:
            return self._keep(diff)
        if self._state is State.PENDING:
            return self._join(diff)
        if diff.last_id <= self._last_id:
            return Outcome.OLD
        if not self.rule.follows(diff, self._last_id):
            return self._start_again(diff, f"events are missing between {self._last_id} and {diff.first_id}")
        self._change(diff)
        return Outcome.APPLIED

    def take_snapshot(self, snapshot: Snapshot) -> bool:
        """Take a snapshot and what of the buffer is newer; False when it is too old: fetch another.

        `InvalidInputError` for levels that are no decimals; it is then as if nothing had come.
        """
        if self._state is not State.EMPTY:
            return True  # a second answer to one question
        kept = [diff for diff in self._buffer if not self.rule.is_old(diff, snapshot.last_id)]
        if kept and not self.rule.straddles(kept[0], snapshot.last_id):
            self._reason = f"the snapshot {snapshot.last_id} is older than the first event {kept[0].first_id}"
            return False
        bids, asks = Side(), Side()
        bids.load(bids.parse(snapshot.bids))
        asks.load(asks.parse(snapshot.asks))
        # Spot: events that the snapshot holds show that it is no older than the stream, so that it can be
        # read at once. Futures number events, not updates: only the event that straddles shows it.
        seen = bool(self._buffer) and self.rule is Rule.SPOT
        self._bids, self._asks, self._last_id = bids, asks, snapshot.last_id
        self._state = State.TRUE if seen else State.PENDING
        self._reason = "no event yet that joins on to the snapshot"
        self._buffer.clear()
        for diff in kept:
            self.apply(diff)
        return True

    def doubt(self, reason: str) -> None:
        """Refuse to be read until the next event shows that nothing is missing: after a gap or silence."""
        if self._state is State.TRUE:
            self._state = State.DOUBTED
            self._reason = reason

    def reset(self, reason: str) -> None:
        """Forget everything and start again."""
        self._clear(reason)

    # --- what it shows ---

    @property
    def bids(self) -> Iterator[BookLevel]:
        """All bids, best first."""
        side = self._readable(self._bids)
        return (self._level(side, price) for price in reversed(side.prices))

    @property
    def asks(self) -> Iterator[BookLevel]:
        """All asks, best first."""
        side = self._readable(self._asks)
        return (self._level(side, price) for price in side.prices)

    @property
    def best_bid(self) -> BookLevel | None:
        """The highest bid, None when there are no bids."""
        side = self._readable(self._bids)
        return self._level(side, side.prices[-1]) if len(side) else None

    @property
    def best_ask(self) -> BookLevel | None:
        """The lowest ask, None when there are no asks."""
        side = self._readable(self._asks)
        return self._level(side, side.prices[0]) if len(side) else None

    def __repr__(self) -> str:
        return f"Book({self.symbol!r}, {self._state}, {len(self._bids)} bids, {len(self._asks)} asks)"

    # --- inside ---

    def _keep(self, diff: Diff) -> Outcome:
        """Buffer; a hole within the buffer makes what came before it useless."""
        if self._buffer and not self.rule.follows(diff, self._buffer[-1].last_id):
            if diff.last_id <= self._buffer[-1].last_id:
                return Outcome.OLD
            self._buffer.clear()
        self._buffer.append(diff)
        return Outcome.BUFFERED

    def _join(self, diff: Diff) -> Outcome:
        """The first event after a snapshot that stands alone."""
        if self.rule.is_old(diff, self._last_id):
            return Outcome.OLD
        if not self.rule.straddles(diff, self._last_id):
            return self._start_again(
                diff, f"the snapshot {self._last_id} is older than event {diff.first_id}"
            )
        self._change(diff)
        return Outcome.APPLIED

    def _change(self, diff: Diff) -> None:
        try:
            bids, asks = self._bids.parse(diff.bids), self._asks.parse(diff.asks)
        except InvalidInputError:
            self._clear("an event could not be read")
            self.gaps += 1
            raise
        self._bids.change(bids)
        self._asks.change(asks)
        self._last_id = diff.last_id
        self._state = State.TRUE

    def _start_again(self, diff: Diff, reason: str) -> Outcome:
        self._clear(reason)
        self.gaps += 1
        self._buffer.append(diff)
        return Outcome.GAP

    def _clear(self, reason: str) -> None:
        self._state = State.EMPTY
        self._reason = reason
        self._bids, self._asks = Side(), Side()
        self._buffer.clear()

    def _require_true(self) -> None:
        if self._state is not State.TRUE:
            raise BookUntrueError(
                f"{self.symbol}: the book is not true now: {self._reason}",
                hint="wait for the next event" if self._state is not State.EMPTY else "give it a snapshot",
            )

    def _readable(self, side: Side) -> Side:
        self._require_true()
        return side

    @staticmethod
    def _level(side: Side, price: int) -> BookLevel:
        return BookLevel(
            decimal_of(price, side.price_decimals), decimal_of(side.size(price), side.size_decimals)
        )
