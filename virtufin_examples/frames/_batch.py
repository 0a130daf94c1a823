"""The batch codec: frames of one topic in arrival order as one `virtufin.v1.FrameBatch`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, repeat

from google.protobuf.internal.containers import RepeatedScalarFieldContainer
from google.protobuf.message import DecodeError

from virtufin_examples._generated.virtufin.v1 import frames_pb2
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames._model import Frame
from virtufin_examples.frames._run import FrameRun, runs_of

FORMAT_VERSION = 1


def encode_batch(frames: Sequence[Frame], *, instance: str, replay: bool = False) -> bytes:
    """Return the bytes of a batch; see `encode_runs`."""
    return encode_runs(runs_of(frames), instance=instance, replay=replay)


def encode_runs(runs: Sequence[FrameRun], *, instance: str, replay: bool = False) -> bytes:
    """Return the bytes of a batch; `instance` names the publishing process.

    With `replay` the batch names a file as the kind of its source, otherwise a WebSocket.
    Frames keep their order. Runs that continue one another become one.
    The topic is not inside: it is the message's.
    """
    batch = frames_pb2.FrameBatch(
        format_version=FORMAT_VERSION,
        source_kind=frames_pb2.SOURCE_KIND_FILE if replay else frames_pb2.SOURCE_KIND_WEBSOCKET,
        instance=instance,
    )
    start = 0
    for end in range(1, len(runs) + 1):
        if end == len(runs) or not _continues(runs[end - 1], runs[end]):
            _add_run(batch, runs[start:end])
            start = end
    return batch.SerializeToString()


def decode_batch(topic: str, data: bytes) -> list[Frame]:
    """Return the frames of a batch that came on `topic`; see `decode_runs`."""
    return [frame for run in decode_runs(topic, data)[1] for frame in run.frames(topic)]


def decode_runs(topic: str, data: bytes) -> tuple[str, list[FrameRun]]:
    """Return the name of the publishing process and the runs of a batch that came on `topic`.

    Raises `InvalidInputError` for what is no batch, and for a newer format, whose frames this reader could
    misread.
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
    return batch.instance, [_read_run(topic, run) for run in batch.runs if run.payloads]


def _continues(last: FrameRun, run: FrameRun) -> bool:
    return (
        run.first_sequence == last.first_sequence + len(last.payloads)
        and run.epoch == last.epoch
        and run.connection_id == last.connection_id
        and run.connection_url == last.connection_url
    )


def _add_run(batch: frames_pb2.FrameBatch, runs: Sequence[FrameRun]) -> None:
    """Add runs that continue one another as one."""
    first = runs[0]
    to = batch.runs.add(
        connection_id=first.connection_id,
        epoch=first.epoch,
        first_sequence=first.first_sequence,
        payloads=first.payloads,
        first_received_ns=first.received_ns,
        received_delta_ns=first.deltas_ns,
        flags=first.flags,
        venue_sequences=first.venue_sequences,
        connection_url=first.connection_url,
    )
    for last, run in pairwise(runs):
        before = len(to.payloads)
        to.payloads.extend(run.payloads)
        step_ns = run.received_ns - last.last_received_ns
        if step_ns or run.deltas_ns:
            to.received_delta_ns.extend(repeat(0, before - 1 - len(to.received_delta_ns)))
            to.received_delta_ns.append(step_ns)
            to.received_delta_ns.extend(run.deltas_ns)
        _extend(to.flags, run.flags, before)
        _extend(to.venue_sequences, run.venue_sequences, before)


def _extend(to: RepeatedScalarFieldContainer[int], values: Sequence[int], before: int) -> None:
    """Append the values of frames that follow `before` others; trailing zeros stay left off."""
    if values:
        to.extend(repeat(0, before - len(to)))
        to.extend(values)


def _read_run(topic: str, run: frames_pb2.FrameRun) -> FrameRun:
    payloads = list(run.payloads)
    count = len(payloads)
    for name, values, limit in (
        ("received_delta_ns", run.received_delta_ns, count - 1),
        ("flags", run.flags, count),
        ("venue_sequences", run.venue_sequences, count),
    ):
        if len(values) > limit:
            raise InvalidInputError(
                f"topic {topic}: a FrameRun of {run.connection_id} has {len(values)} {name} "
                f"for {count} payloads"
            )
    return FrameRun(
        run.connection_id,
        run.epoch,
        run.first_sequence,
        run.first_received_ns,
        payloads,
        sum(map(len, payloads)),
        list(run.received_delta_ns),
        list(run.flags),
        list(run.venue_sequences),
        run.connection_url,
    )
