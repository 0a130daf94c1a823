"""One stream of several connections that carry the same: of each frame the first arrival.

The connections may live in processes and machines of their own: what one of them loses, another has.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from virtufin_examples.client._subscription import Subscription
from virtufin_examples.frames import Frame, FrameFlag, Gap, Item
from virtufin_examples.venues import Arbiter, Arrival, Seen, one_message

PATIENCE_SECONDS = 1.0
"""How long a gap of one connection waits for another one to show that it went on through it."""

ABSENT_SECONDS = 10.0
"""So long without a frame, while another brings some, and a connection is not waited for any more."""

_TICK_SECONDS = 0.1
_GAPS_KEPT = 100  # of a connection: more than lie within the patience
_NS_PER_SECOND = 1_000_000_000


def _nothing(_: bytes) -> Sequence[Seen]:
    return ()


@dataclass(frozen=True)
class _Arrival(Arrival):
    frame: Frame


@dataclass(slots=True)
class _Source:
    """What is known of one connection; times of frames are those of its process."""

    number: int
    first_ns: int
    last_ns: int
    seen_at: float
    gaps: deque[Gap] = field(default_factory=lambda: deque(maxlen=_GAPS_KEPT))

    def went_through(self, gap: Gap) -> bool:
        """Whether it received before, during and after another's gap without one of its own."""
        return (
            self.first_ns <= gap.from_ns
            and self.last_ns >= gap.to_ns
            and not any(own.from_ns <= gap.to_ns and gap.from_ns <= own.to_ns for own in self.gaps)
        )


class FirstArrivals:
    """Merges the items of the connections of one topic. Pure: items and times in, items out.

    Frames are matched by the venue's own numbers where `peek` finds them, by content within a window where it
    does not: by that of the `messages` that the venue packed into a frame. A gap of one connection is left
    out where another one went through it.
    """

    def __init__(
        self,
        peek: Callable[[bytes], Sequence[Seen]] = _nothing,
        messages: Callable[[bytes], Sequence[bytes]] = one_message,
    ) -> None:
        self._arbiter = Arbiter(peek, messages)
        self._sources: dict[str, _Source] = {}
        self._numbers = 0
        self._waiting: list[tuple[float, Gap]] = []
        self.repeats = 0
        """Frames that had come by another connection, and those that are held back just now."""
        self.covered = 0
        """Gaps of one connection that another one filled."""

    def take(self, item: Item, now: float) -> list[Item]:
        """Return what an item lets pass; `now` is a steady clock in seconds."""
        if isinstance(item, Frame):
            return [*self._frame(item, now), *self._settled(now)]
        if isinstance(item, Gap):
            source = self._sources.get(item.connection_id)
            if source is not None:
                source.gaps.append(item)
                self._waiting.append((now + PATIENCE_SECONDS, item))
                return self._settled(now)
        return [item]

    def tick(self, now: float, now_ns: int) -> list[Item]:
        """Return what has waited long enough."""
        newest = max((source.seen_at for source in self._sources.values()), default=now)
        passed: list[Arrival] = []
        for name, source in tuple(self._sources.items()):
            if newest - source.seen_at > ABSENT_SECONDS:
                passed += self._arbiter.leave(source.number)
                del self._sources[name]
        passed += self._arbiter.overdue(now_ns)
        return [*self._released(passed), *self._settled(now)]

    def _frame(self, frame: Frame, now: float) -> list[Item]:
        source = self._sources.get(frame.connection_id)
        if source is None:
            self._numbers += 1
            source = _Source(self._numbers, frame.received_ns, frame.received_ns, now)
            self._sources[frame.connection_id] = source
            self._arbiter.join(source.number)
        source.last_ns = max(source.last_ns, frame.received_ns)
        source.seen_at = now
        self.repeats += 1
        binary = bool(frame.flags & FrameFlag.BINARY)
        arrival = _Arrival(source.number, (frame.data, binary), frame.received_ns, frame)
        return self._released(self._arbiter.offer(arrival))

    def _released(self, arrivals: Sequence[Arrival]) -> list[Item]:
        self.repeats -= len(arrivals)
        return [arrival.frame for arrival in arrivals if isinstance(arrival, _Arrival)]

    def _settled(self, now: float) -> list[Item]:
        """The gaps that nobody went through, as far as that is known."""
        told: list[Item] = []
        still: list[tuple[float, Gap]] = []
        for until, gap in self._waiting:
            others = [each for name, each in self._sources.items() if name != gap.connection_id]
            if any(other.went_through(gap) for other in others):
                self.covered += 1
            elif now >= until:
                told.append(gap)
            else:
                still.append((until, gap))
        self._waiting = still
        return told


async def first_arrivals(
    subscription: Subscription,
    peek: Callable[[bytes], Sequence[Seen]] = _nothing,
    messages: Callable[[bytes], Sequence[bytes]] = one_message,
) -> AsyncIterator[Item]:
    """Yield the items of a topic onto which several connections publish the same feed, each frame once.

    Open the feed twice, by two WebSocketManagers with one topic (the venue must allow two connections), and
    read it as one: when a process, a machine or a line fails, nothing is missing. `peek` finds symbols and
    the venue's numbers in a frame (`venues.binance.peek`); without it content decides. `messages` takes a
    frame apart where the venue packs the same messages differently for each socket
    (`venues.alpaca.messages`): a frame then passes, whole, unless all of its messages have passed.
    """
    merged = FirstArrivals(peek, messages)
    pending: asyncio.Task[list[Item] | None] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(subscription.next_batch())
            await asyncio.wait({pending}, timeout=_TICK_SECONDS)
            passed = merged.tick(time.monotonic(), time.time_ns())
            if pending.done():
                batch, pending = pending.result(), None
                if batch is None:
                    return
                now = time.monotonic()
                passed += [item for each in batch for item in merged.take(each, now)]
            for item in passed:
                yield item
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
