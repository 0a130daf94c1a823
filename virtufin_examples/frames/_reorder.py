"""One connection's items put back into the order of their sequences, what is missing told as gaps."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from virtufin_examples.frames._model import (
    Cause,
    ConnectionBeat,
    Frame,
    Gap,
    Item,
    Late,
    Marker,
)
from virtufin_examples.frames._ranges import RangeSet
from virtufin_examples.frames._run import FrameRun

Numbered: TypeAlias = Frame | Marker

_MARKER_BYTES = 256  # what a held marker counts against the window's bytes


@dataclass(slots=True)
class MergeNumbers:
    """What a merge has counted since its start."""

    frames: int = 0
    gaps: int = 0
    missing: int = 0
    """Numbers inside gaps of cause `bus` within one epoch.

    Across a change of epoch a publisher may have skipped numbers, so those prove no loss.
    """
    duplicates: int = 0
    """Items that had been handed out before."""
    late: int = 0
    """Items that came after their gap had been announced, or from before the start."""
    refused: int = 0
    """Frames of an instance that no longer holds the connection."""


class Reorder:
    """The stream of one connection on one topic. Time is given in nanoseconds and never goes back.

    `after` is the last number that an earlier subscription handed out. `whole`: nothing was published before
    this subscription began, so that what is missing before the first frame is a hole too.
    """

    def __init__(
        self,
        topic: str,
        connection_id: str,
        numbers: MergeNumbers,
        *,
        late: bool,
        after: int | None = None,
        whole: bool = False,
    ) -> None:
        self._topic = topic
        self.connection_id = connection_id
        self._numbers = numbers
        self._late = late
        self._whole = whole
        self.next_sequence: int | None = None if after is None else after + 1
        self.held_bytes = 0
        self._started = after is not None  # what is up to there was handed out by an earlier subscription
        self._held: dict[int, tuple[Numbered, int]] = {}  # by sequence, in order of arrival
        self._heap: list[int] = []  # the same sequences, lowest first
        self._announced = RangeSet()  # missing by the publisher's word, not yet passed
        self._missing = RangeSet()  # passed without having been handed out
        self._beaten_last = 0  # a heartbeat said that the numbers go so far
        self._progress_ns = 0
        self._received_ns = 0  # of what was handed out last
        self._beaten_received_ns = 0
        self._beaten_epoch = 0
        self._epoch = 0
        self._instance = ""
        self._instance_epoch = 0

    def add(self, item: Numbered, now_ns: int, instance: str, out: list[Item]) -> None:
        """Take an item in; what is in order now goes to `out`."""
        if isinstance(item, Frame) and self._is_refused(item, instance):
            self._numbers.refused += 1
            return
        if isinstance(item, Frame):
            self._progress_ns = now_ns
        sequence = item.sequence
        if sequence == self.next_sequence and not self._heap and not isinstance(item, Gap):
            self._hand_out(item, out)  # nearly all frames come in order
            if self._announced:
                self._drain(out)
            return
        if self.next_sequence is not None and sequence < self.next_sequence:
            if self._started:
                self._count_old(item, out)
                return
            self.next_sequence = sequence  # nothing was handed out yet: the start moves back
        if sequence in self._held:
            self._numbers.duplicates += 1
            return
        self._hold(item, now_ns)
        if self.next_sequence is None and isinstance(item, Frame):
            # The first frame is the start. A marker alone is not: on a topic of its own it overtakes frames.
            self.next_sequence = self._first()
        self._drain(out)

    def add_run(self, run: FrameRun, now_ns: int, instance: str, out: list[Item]) -> None:
        """Take a run in: as a whole where it follows what was handed out, which is nearly always."""
        frames = run.frames(self._topic)
        if run.first_sequence != self.next_sequence or self._heap or self._announced or not self._started:
            for frame in frames:
                self.add(frame, now_ns, instance, out)
            return
        if self._is_refused(frames[0], instance):
            self._numbers.refused += len(frames)
            return
        self._progress_ns = now_ns
        self.next_sequence = run.last_sequence + 1
        self._epoch = run.epoch
        self._received_ns = frames[-1].received_ns
        self._numbers.frames += len(frames)
        out.extend(frames)

    def beat(self, beat: ConnectionBeat, now_ns: int) -> None:
        """Take in how far the publisher's numbers go; while frames still wait there, that proves no loss."""
        if self.next_sequence is None and not self._held:
            if self._whole:
                return  # it may have come before frames that a broker is slow to begin with
            self.next_sequence = beat.last_sequence + 1
            self._received_ns, self._epoch = beat.last_received_ns, beat.epoch
        elif not beat.queued_bytes and beat.last_sequence > self._beaten_last:
            self._beaten_last = beat.last_sequence
            self._beaten_received_ns = beat.last_received_ns
            self._beaten_epoch = beat.epoch
            self._progress_ns = now_ns

    def waits_since_ns(self) -> int | None:
        """Return since when the oldest hole has been waited for; None when there is none."""
        if self._held:
            return self._oldest_held()[1]
        if self.next_sequence is not None and self._beaten_last >= self.next_sequence:
            return self._progress_ns
        return None

    def expire(self, before_ns: int, out: list[Item]) -> None:
        """Give up every hole that has been waited for since `before_ns` or earlier."""
        while self._held:
            sequence, since_ns = self._oldest_held()
            if since_ns > before_ns:
                return
            while sequence in self._held:
                self.release(out)
        waits_since_ns = self.waits_since_ns()
        if waits_since_ns is not None and waits_since_ns <= before_ns:
            self._pass_hole(self._beaten_last, self._beaten_received_ns, self._beaten_epoch, out)

    def _oldest_held(self) -> tuple[int, int]:
        """Return the held item that has proved a hole for longest, and since when.

        A marker may have overtaken frames, since it can come by a topic of its own: while they arrive it
        proves nothing, however long they take.
        """
        sequence, (item, since_ns) = next(iter(self._held.items()))
        if isinstance(item, Frame) or self._progress_ns <= since_ns:
            return sequence, since_ns
        frames = ((each, at_ns) for each, (held, at_ns) in self._held.items() if isinstance(held, Frame))
        first_frame = next(frames, None)
        if first_frame is not None and first_frame[1] <= self._progress_ns:
            return first_frame
        return sequence, self._progress_ns

    def release(self, out: list[Item]) -> None:
        """Give up the hole before the lowest held item."""
        lowest = self._heap[0]
        if self.next_sequence is None:
            self.next_sequence = self._first()
        if lowest > self.next_sequence:
            item = self._held[lowest][0]
            self._pass_hole(lowest - 1, _time(item), _epoch(item), out)
        self._drain(out)

    def _hold(self, item: Numbered, now_ns: int) -> None:
        if isinstance(item, Gap) and item.first_sequence:
            item = self._narrowed(item)
            if item.first_sequence:
                self._announced.add(item.first_sequence, item.last_sequence)
        self._held[item.sequence] = (item, now_ns)
        heapq.heappush(self._heap, item.sequence)
        self.held_bytes += _size(item)

    def _hand_out(self, item: Numbered, out: list[Item]) -> None:
        """Hand out the item whose turn it is."""
        if not self._started:
            self._start(item.sequence)
        self.next_sequence = item.sequence + 1
        self._epoch = _epoch(item)
        if isinstance(item, Frame):
            self._received_ns = item.received_ns
            self._numbers.frames += 1
        elif isinstance(item, Gap):
            self._numbers.gaps += 1
        out.append(item)

    def _first(self) -> int:
        """Return the number to begin with: the lowest that is held, 1 where all must come."""
        return 1 if self._whole else self._heap[0]

    def _start(self, sequence: int) -> None:
        self._started = True
        self._missing.add(0, sequence - 1)  # what comes from before the start is late, too

    def _drain(self, out: list[Item]) -> None:
        while self.next_sequence is not None:
            if self._heap and self._heap[0] == self.next_sequence:
                item, _ = self._held.pop(heapq.heappop(self._heap))
                self.held_bytes -= _size(item)
                self._hand_out(item, out)
                continue
            last = self._announced.last_of(self.next_sequence)
            if last is None:
                break
            after = min(last + 1, self._heap[0]) if self._heap else last + 1
            self._missing.add(self.next_sequence, after - 1)
            self.next_sequence = after
        if self._announced and self.next_sequence is not None:
            self._announced.discard_below(self.next_sequence)

    def _pass_hole(self, last: int, to_ns: int, epoch: int, out: list[Item]) -> None:
        """Tell what is missing up to `last`, save what the publisher announced, and go on after it."""
        assert self.next_sequence is not None  # noqa: S101 - a hole has a start
        first = self.next_sequence
        while first <= last:
            announced = self._announced.last_of(first)
            if announced is not None:
                first = announced + 1
                continue
            above = self._announced.first_above(first)
            end = last if above is None else min(last, above - 1)
            out.append(
                Gap(
                    topic=self._topic,
                    connection_id=self.connection_id,
                    epoch_before=self._epoch or epoch,  # after an earlier subscription it is not known
                    epoch_after=epoch,
                    cause=Cause.BUS,
                    from_ns=self._received_ns or to_ns,
                    to_ns=max(to_ns, self._received_ns),
                    first_sequence=first,
                    last_sequence=end,
                )
            )
            self._numbers.gaps += 1
            if epoch == self._epoch:
                self._numbers.missing += end + 1 - first
            first = end + 1
        if not self._started:
            self._start(self.next_sequence)
        self._missing.add(self.next_sequence, last)
        self.next_sequence = last + 1
        self._drain(out)

    def _count_old(self, item: Numbered, out: list[Item]) -> None:
        """Count an item whose turn has passed: it is late where it was missed, otherwise a repeat."""
        if not self._missing.remove(item.sequence):
            self._numbers.duplicates += 1
            return
        self._numbers.late += 1
        if self._late and isinstance(item, Frame):
            out.append(Late(frame=item))

    def _narrowed(self, gap: Gap) -> Gap:
        """Return an announced gap without what was handed out or told before.

        A process that is started again knows only to a second what the one before it had published.
        """
        if not self._started or self.next_sequence is None or gap.first_sequence >= self.next_sequence:
            return gap
        first, last = self.next_sequence, gap.last_sequence
        return msgspec.structs.replace(
            gap,
            first_sequence=first if first <= last else 0,
            last_sequence=last if first <= last else 0,
            from_ns=max(gap.from_ns, self._received_ns),
            to_ns=max(gap.to_ns, self._received_ns),
        )

    def _is_refused(self, frame: Frame, instance: str) -> bool:
        """Tell whether another instance has taken the connection over since.

        Epochs are taken by compare-and-swap, so the newest names the owner (invariant 10 of the data path).
        """
        if not instance or instance == self._instance:
            self._instance_epoch = max(self._instance_epoch, frame.epoch)
            return False
        if self._instance and frame.epoch <= self._instance_epoch:
            return True
        self._instance, self._instance_epoch = instance, frame.epoch
        return False


def _size(item: Numbered) -> int:
    return len(item.data) + _MARKER_BYTES if isinstance(item, Frame) else _MARKER_BYTES


def _time(item: Numbered) -> int:
    if isinstance(item, Frame):
        return item.received_ns
    return item.from_ns if isinstance(item, Gap) else item.since_ns


def _epoch(item: Numbered) -> int:
    return item.epoch_after if isinstance(item, Gap) else item.epoch
