"""One connection's stream: numbers what comes in, holds it until it is published, announces what is missing.

The data path from the socket to the publisher's queue. No I/O, no clock of its own, no tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from virtufin_examples.connections._coverage import Uncovered
from virtufin_examples.connections._hold import HoldBuffer
from virtufin_examples.connections._loss import (
    MARKER_BYTES,
    StreamItem,
    item_bytes,
)
from virtufin_examples.connections._sequencer import Grant, Sequencer
from virtufin_examples.frames import Cause, Gap, Marker, Restored, Stale

HELD_BACK_NS = 10_000_000_000
"""No frame waits that long for another socket's."""


class Outlet(Protocol):
    """Where a published stream goes: a bounded queue; must not block."""

    def put(self, items: Sequence[StreamItem], size: int) -> None:
        """Take numbered items of `size` bytes."""


@dataclass(frozen=True, slots=True)
class _Break:
    cause: Cause
    epoch: int
    since_ns: int
    announced: bool = False


class Stream:
    """The items of one connection, in order. `monotonic` tells how long they are held."""

    def __init__(self, connection_id: str, connection_url: str, monotonic: Callable[[], float]) -> None:
        self._connection_id = connection_id
        self._sequencer = Sequencer(connection_id, connection_url)
        self._monotonic = monotonic
        self._hold = HoldBuffer()
        self._outlet: Outlet | None = None
        self._break: _Break | None = None
        self.published_once = False
        self.frames = 0
        self.bytes = 0
        self.controls = 0
        self.last_received_ns = 0
        self.last_was_binary = False
        self.last_frame_epoch = 0

    @property
    def last_sequence(self) -> int:
        """The last number given."""
        return self._sequencer.last_sequence

    @property
    def held_bytes(self) -> int:
        """Bytes received and waiting for the first publish."""
        return self._hold.held_bytes

    @property
    def is_low(self) -> bool:
        """Whether more sequences should be reserved."""
        return self._sequencer.is_low

    def grant(self, grant: Grant, now_ns: int) -> None:
        """Take an epoch's numbers; after a restart, announce what may be missing."""
        self._sequencer.grant(grant.first_sequence, grant.last_sequence)
        if grant.lost_since_ns:
            self._emit(
                Gap(
                    topic="",
                    connection_id=self._connection_id,
                    epoch_before=grant.lost_epoch,
                    epoch_after=grant.epoch,
                    cause=Cause.RESTART,
                    from_ns=min(grant.lost_since_ns, now_ns),
                    to_ns=now_ns,
                    ended=False,
                    sequence=self._sequencer.take(),
                    first_sequence=grant.lost_first_sequence,
                    last_sequence=grant.first_sequence - 1,
                )
            )
            self._break = _Break(Cause.RESTART, grant.lost_epoch, grant.lost_since_ns, announced=True)

    @property
    def is_broken(self) -> bool:
        """Whether there is a break that has not ended."""
        return self._break is not None

    def extend(self, last_sequence: int) -> None:
        """Take the next block of numbers."""
        self._sequencer.grant(0, last_sequence)

    def receive(
        self,
        payloads: Sequence[bytes],
        received_ns: int,
        *,
        binary: bool,
        epoch: int,
        simulated: bool,
        mends: bool = True,
    ) -> None:
        """Number what one read brought and hand it on. Raises `SequencesExhaustedError`.

        With `mends` a frame ends a break; where the venue answers the handshake, `mended` does.
        """
        if mends and self._break is not None:
            self._announce_break(epoch, received_ns, ended=True)
        runs = self._sequencer.runs(payloads, received_ns, binary=binary, epoch=epoch, simulated=simulated)
        self.frames += len(payloads)
        size = 0
        for run in runs:
            self.bytes += run.size
            size += run.memory_bytes
        # of two sockets, one may hold frames back a little; further back, the clock was set
        if not 0 < self.last_received_ns - received_ns < HELD_BACK_NS:
            self.last_received_ns = received_ns
        self.last_frame_epoch = epoch
        self.last_was_binary = binary
        self._hand_on(runs, size)

    def broke(self, cause: Cause, covered_until_ns: int) -> None:
        """Note that the socket is gone; the gap is announced when it is mended, or by `stays_broken`.

        It begins at `covered_until_ns`, or at the last frame if that was earlier: what came later came by a
        socket that was not confirmed. A break before the first frame adds nothing, one inside an earlier one
        goes on with it.
        """
        if self._break is None and self.last_received_ns:
            since_ns = min(self.last_received_ns, covered_until_ns)
            self._break = _Break(cause, self.last_frame_epoch, since_ns)

    def stays_broken(self, epoch: int, now_ns: int) -> None:
        """Announce, once, a break that has not ended: retries go on, or none will be made; or in spite of it
        data come already.
        """
        if self._break is not None and not self._break.announced:
            self._announce_break(epoch, now_ns, ended=False)

    def mended(self, epoch: int, now_ns: int) -> Gap | None:
        """End a break, return its gap: the venue has taken the handshake, and data may flow."""
        return self._announce_break(epoch, now_ns, ended=True)

    def announce_uncovered(self, time: Uncovered) -> Gap:
        """Say that no socket has proved that it brought all of a time; return the gap."""
        gap = Gap(
            topic="",
            connection_id=self._connection_id,
            epoch_before=time.epoch_before,
            epoch_after=time.epoch_after,
            cause=Cause.RECONNECT,
            from_ns=time.from_ns,
            to_ns=time.to_ns,
            ended=time.ended,
            sequence=self._sequencer.take(),
        )
        self._emit(gap)
        return gap

    def backfill(self, payloads: Sequence[bytes], now_ns: int, *, epoch: int, simulated: bool) -> None:
        """Number and hand on text messages that did not come by the socket; they count as no sign of life.

        Raises `SequencesExhaustedError`.
        """
        runs = self._sequencer.runs(payloads, now_ns, epoch=epoch, simulated=simulated, backfill=True)
        self._hand_on(runs, sum(run.memory_bytes for run in runs))

    def publish_to(self, outlet: Outlet) -> None:
        """Hand what is held to the outlet, and then all that comes.

        What had been dropped is announced in its place: before the rest, by the number of the last of it.
        """
        items, loss = self._hold.drain(self._monotonic())
        self._outlet = outlet
        self.published_once = True
        if loss is not None:
            outlet.put([loss.gap(self._connection_id, loss.last_sequence, Cause.UNPUBLISHED)], MARKER_BYTES)
        if items:
            outlet.put(items, sum(map(item_bytes, items)))

    def unpublish(self, *, hold: bool = False) -> None:
        """Stop handing on. Frames are numbered and dropped, which the next `publish_to` announces.

        With `hold` they are held as before the first publish: for a change of outlets.
        """
        if self._outlet is not None:
            self._outlet = None
            self._hold = HoldBuffer() if hold else HoldBuffer(limit_bytes=0, limit_seconds=0)

    def announce_stale(self, symbols: tuple[str, ...], reason: str, epoch: int, now_ns: int) -> None:
        """Say that symbols, or with none the whole connection, have stopped arriving."""
        stale = Stale(
            topic="",
            connection_id=self._connection_id,
            epoch=epoch,
            sequence=self._sequencer.take(),
            since_ns=self.last_received_ns or now_ns,
            symbols=symbols,
            reason=reason,
        )
        self._emit(stale)

    def announce_restored(self, symbols: tuple[str, ...], epoch: int, now_ns: int) -> None:
        """Say that they arrive again."""
        restored = Restored(
            topic="",
            connection_id=self._connection_id,
            epoch=epoch,
            sequence=self._sequencer.take(),
            since_ns=self.last_received_ns or now_ns,
            symbols=symbols,
        )
        self._emit(restored)

    def announce_hole(
        self, symbol: str, venue_from: int, venue_to: int, *, since_ns: int, epoch: int, now_ns: int
    ) -> None:
        """Say that the venue's own numbers from `venue_from` to `venue_to` never came.

        The symbol's frame before them came at `since_ns`, the one after them at `now_ns`.
        """
        gap = Gap(
            topic="",
            connection_id=self._connection_id,
            epoch_before=self.last_frame_epoch or epoch,
            epoch_after=epoch,
            cause=Cause.VENUE_SEQUENCE,
            from_ns=min(since_ns, now_ns),  # of two sockets, one may be behind
            to_ns=max(since_ns, now_ns),
            sequence=self._sequencer.take(),
            symbols=(symbol,),
            venue_from=venue_from,
            venue_to=venue_to,
        )
        self._emit(gap)

    def _announce_break(self, epoch: int, to_ns: int, *, ended: bool) -> Gap | None:
        broken = self._break
        if broken is None:
            return None
        gap = Gap(
            topic="",
            connection_id=self._connection_id,
            epoch_before=broken.epoch,
            epoch_after=epoch,
            cause=broken.cause,
            from_ns=min(broken.since_ns, to_ns),  # the clock may have been set back
            to_ns=to_ns,
            ended=ended,
            sequence=self._sequencer.take(),
        )
        self._break = None if ended else replace(broken, announced=True)
        self._emit(gap)
        return gap

    def _emit(self, marker: Marker) -> None:
        self._hand_on([marker], MARKER_BYTES)

    def _hand_on(self, items: Sequence[StreamItem], size: int) -> None:
        if self._outlet is not None:
            self._outlet.put(items, size)
        else:
            self._hold.add(items, self._monotonic())
