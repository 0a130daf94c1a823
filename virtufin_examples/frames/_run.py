"""Frames of one connection with consecutive sequences, carried together so that work is done once for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, pairwise, repeat

import msgspec

from virtufin_examples.frames._model import Frame, FrameFlag

FRAME_OVERHEAD_BYTES = 160
"""What a frame takes in memory besides its payload, so that tiny frames are bounded as well."""

_FLAGS = tuple(FrameFlag(bits) for bits in range(16))


class FrameRun(msgspec.Struct, frozen=True, gc=False):
    """Frame i has the sequence `first_sequence + i`; at least one frame.

    The fields are those of `virtufin.v1.FrameRun`: `received_ns` is the first frame's, `deltas_ns` what each
    later one adds to the one before, `flags` bits by frame, trailing zeros of both left off;
    `venue_sequences` is empty when no frame has one. `size` is the payloads' bytes.
    """

    connection_id: str
    epoch: int
    first_sequence: int
    received_ns: int
    payloads: Sequence[bytes]
    size: int
    deltas_ns: Sequence[int] = ()
    flags: Sequence[int] = ()
    venue_sequences: Sequence[int] = ()
    connection_url: str = ""

    def __len__(self) -> int:
        return len(self.payloads)

    @property
    def last_sequence(self) -> int:
        """The number of the last frame."""
        return self.first_sequence + len(self.payloads) - 1

    @property
    def last_received_ns(self) -> int:
        """When the last frame was received."""
        return self.received_ns + sum(self.deltas_ns)

    @property
    def memory_bytes(self) -> int:
        """What the frames count as in a bounded buffer."""
        return self.size + len(self.payloads) * FRAME_OVERHEAD_BYTES

    def frames(self, topic: str = "") -> list[Frame]:
        """Return the frames one by one."""
        first = self.first_sequence
        times = accumulate(self.deltas_ns, initial=self.received_ns)
        later = repeat(self.last_received_ns)
        none = repeat(FrameFlag.NONE)
        return list(
            map(
                Frame,
                repeat(topic),
                repeat(self.connection_id),
                repeat(self.epoch),
                range(first, first + len(self.payloads)),
                chain(times, later) if self.deltas_ns else later,
                self.payloads,
                chain(map(_flag, self.flags), none) if self.flags else none,
                chain(self.venue_sequences, repeat(0)),
                repeat(self.connection_url),
            )
        )

    def split(self, count: int) -> tuple[FrameRun, FrameRun]:
        """Return the first `count` frames and the others; neither may be empty."""
        head, tail = self.payloads[:count], self.payloads[count:]
        size = sum(map(len, head))
        return (
            msgspec.structs.replace(
                self,
                payloads=head,
                size=size,
                deltas_ns=self.deltas_ns[: count - 1],
                flags=self.flags[:count],
                venue_sequences=self.venue_sequences[:count],
            ),
            msgspec.structs.replace(
                self,
                first_sequence=self.first_sequence + count,
                received_ns=self.received_ns + sum(self.deltas_ns[:count]),
                payloads=tail,
                size=self.size - size,
                deltas_ns=self.deltas_ns[count:],
                flags=self.flags[count:],
                venue_sequences=self.venue_sequences[count:],
            ),
        )

    def flagged(self, flag: FrameFlag) -> FrameRun:
        """Return the same run with a flag set on every frame."""
        bits = [*self.flags, *repeat(0, len(self.payloads) - len(self.flags))]
        return msgspec.structs.replace(self, flags=[each | int(flag) for each in bits])


def run_of(frames: Sequence[Frame]) -> FrameRun:
    """Return frames of one connection, epoch and URL with consecutive sequences as a run."""
    first = frames[0]
    times = [frame.received_ns for frame in frames]
    venue_sequences = [frame.venue_sequence for frame in frames]
    payloads = [frame.data for frame in frames]
    return FrameRun(
        first.connection_id,
        first.epoch,
        first.sequence,
        first.received_ns,
        payloads,
        sum(map(len, payloads)),
        without_tail([later - earlier for earlier, later in pairwise(times)]),
        without_tail([int(frame.flags) for frame in frames]),
        venue_sequences if any(venue_sequences) else (),
        first.connection_url,
    )


def runs_of(frames: Iterable[Frame]) -> list[FrameRun]:
    """Return frames as runs, in their order."""
    runs: list[list[Frame]] = []
    for frame in frames:
        if runs and _continues(runs[-1][-1], frame):
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return [run_of(run) for run in runs]


def without_tail(values: list[int]) -> list[int]:
    """Leave trailing zeros off, as the format allows."""
    while values and not values[-1]:
        values.pop()
    return values


def _continues(last: Frame, frame: Frame) -> bool:
    return (
        frame.sequence == last.sequence + 1
        and frame.epoch == last.epoch
        and frame.connection_id == last.connection_id
        and frame.connection_url == last.connection_url
    )


def _flag(bits: int) -> FrameFlag:
    return _FLAGS[bits] if bits < len(_FLAGS) else FrameFlag(bits)
