"""The batch codec: frames of one topic in arrival order as one `virtufin.v1.FrameBatch`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import accumulate, pairwise, repeat

from google.protobuf.message import DecodeError

from virtufin_examples._generated.virtufin.v1 import frames_pb2
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames._model import Frame, FrameFlag

FORMAT_VERSION = 1


def encode_batch(frames: Sequence[Frame], *, instance: str, replay: bool = False) -> bytes:
    """Return the bytes of a batch; `instance` names the publishing process.

    With `replay` the batch names a file as the kind of its source, otherwise a WebSocket.
    Frames keep their order. Neighbours of one connection and epoch with consecutive sequences share a run.
    The topic is not inside: it is the message's.
    """
    batch = frames_pb2.FrameBatch(
        format_version=FORMAT_VERSION,
        source_kind=frames_pb2.SOURCE_KIND_FILE if replay else frames_pb2.SOURCE_KIND_WEBSOCKET,
        instance=instance,
    )
    start = 0
    for end in _run_ends(frames):
        _add_run(batch, frames[start:end])
        start = end
    return batch.SerializeToString()


def decode_batch(topic: str, data: bytes) -> list[Frame]:
    """Return the frames of a batch that came on `topic`.

    Raises `InvalidInputError` for what is no batch, and for a newer format, whose frames this reader could
    misread.
    """
    return decode_batch_in_runs(topic, data)[1]


def decode_batch_in_runs(topic: str, data: bytes) -> tuple[str, list[Frame], list[int]]:
    """Return the name of the publishing process, the frames, and the lengths of their runs.

    See `decode_batch`. A run is of one connection and epoch, and its sequences follow one another.
    """
    batch = frames_pb2.FrameBatch()
    try:
        batch.ParseFromString(data)
    except DecodeError as error:
        raise InvalidInputError(f"topic {topic}: {len(data)} bytes are no FrameBatch: {error}") from error
    if batch.format_version > FORMAT_VERSION:
        raise InvalidInputError(
            f"topic {topic}: FrameBatch has format_version {batch.format_version}, "
            f"this reader knows {FORMAT_VERSION}",
            hint="upgrade virtufin-examples here, or publish with the older version",
        )
    if batch.format_version != FORMAT_VERSION:
        raise InvalidInputError(f"topic {topic}: {len(data)} bytes are no FrameBatch: no format_version")
    frames: list[Frame] = []
    for run in batch.runs:
        _read_run(topic, run, frames)
    return batch.instance, frames, [len(run.payloads) for run in batch.runs]


def _run_ends(frames: Sequence[Frame]) -> list[int]:
    """Return where each run ends; one loop without calls, since it looks at every frame."""
    ends: list[int] = []
    sequence, epoch, connection_id, url = 0, 0, "", ""
    for index, frame in enumerate(frames):
        sequence += 1
        if (
            frame.sequence != sequence
            or frame.connection_id != connection_id
            or frame.epoch != epoch
            or frame.connection_url != url
        ):
            ends.append(index)
            sequence, epoch = frame.sequence, frame.epoch
            connection_id, url = frame.connection_id, frame.connection_url
    return [*ends[1:], len(frames)] if frames else []


def _add_run(batch: frames_pb2.FrameBatch, frames: Sequence[Frame]) -> None:
    first = frames[0]
    times = [frame.received_ns for frame in frames]
    flags = [frame.flags for frame in frames]
    venue_sequences = [frame.venue_sequence for frame in frames]
    batch.runs.add(
        connection_id=first.connection_id,
        epoch=first.epoch,
        first_sequence=first.sequence,
        payloads=[frame.data for frame in frames],
        first_received_ns=first.received_ns,
        received_delta_ns=_without_tail([later - earlier for earlier, later in pairwise(times)]),
        flags=_without_tail([int(each) for each in flags]) if any(flags) else None,
        venue_sequences=venue_sequences if any(venue_sequences) else None,
        connection_url=first.connection_url,
    )


def _without_tail(values: list[int]) -> list[int]:
    """Leave trailing zeros off, as the format allows."""
    while values and not values[-1]:
        values.pop()
    return values


@functools.lru_cache(maxsize=64)
def _flag(bits: int) -> FrameFlag:
    return FrameFlag(bits)


def _read_run(topic: str, run: frames_pb2.FrameRun, frames: list[Frame]) -> None:
    count = len(run.payloads)
    for name, values, limit in (
        ("received_delta_ns", run.received_delta_ns, max(count - 1, 0)),
        ("flags", run.flags, count),
        ("venue_sequences", run.venue_sequences, count),
    ):
        if len(values) > limit:
            raise InvalidInputError(
                f"topic {topic}: a FrameRun of {run.connection_id} has {len(values)} {name} "
                f"for {count} payloads"
            )
    times = list(accumulate(run.received_delta_ns, initial=run.first_received_ns))
    times.extend([times[-1]] * (count - len(times)))
    bits = [*run.flags, *([0] * (count - len(run.flags)))] if run.flags else None
    venue = [*run.venue_sequences, *([0] * (count - len(run.venue_sequences)))]
    frames.extend(
        map(
            Frame,
            repeat(topic),
            repeat(run.connection_id),
            repeat(run.epoch),
            range(run.first_sequence, run.first_sequence + count),
            times,
            run.payloads,
            repeat(FrameFlag.NONE) if bits is None else map(_flag, bits),
            venue,
            repeat(run.connection_url),
        )
    )
