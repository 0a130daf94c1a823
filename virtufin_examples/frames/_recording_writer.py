"""Items to the bytes of a recording. Pure: where they go is its user's affair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames._model import Cause, Frame, Gap
from virtufin_examples.frames._recording_format import (
    RecordedItem,
    RecordingHead,
    RecordKind,
    encode_head,
    encode_record,
    end_payload,
    frames_payload,
    marker_payload,
    seed_of,
)

RECORD_BYTES = 512 * 1024
"""Frames go into one record up to here: what a reader decodes at a time, and what a damaged record costs."""


class Continuity:
    """How far each connection's numbers have been recorded."""

    def __init__(self) -> None:
        self._last: dict[str, Frame] = {}
        self._numbers: dict[str, int] = {}

    def note(self, item: RecordedItem) -> None:
        """Take in an item that the recording holds."""
        connection_id = getattr(item, "connection_id", "")
        if isinstance(item, Frame):
            self._last[connection_id] = item
        if connection_id:
            last = max(getattr(item, "last_sequence", 0), getattr(item, "sequence", 0))
            self._numbers[connection_id] = max(last, self._numbers.get(connection_id, 0))

    def hole_before(self, item: RecordedItem) -> Gap | None:
        """Return the gap between what was recorded of the item's connection and this item, if there is one.

        For the first items of a session that continues a recording: nobody listened in between.
        """
        if not isinstance(item, Frame) or item.connection_id not in self._last:
            return None
        first = self._numbers[item.connection_id] + 1
        if item.sequence <= first:
            return None
        last = self._last[item.connection_id]
        return Gap(
            topic=item.topic,
            connection_id=item.connection_id,
            epoch_before=last.epoch,
            epoch_after=item.epoch,
            cause=Cause.BUS,
            from_ns=last.received_ns,
            to_ns=item.received_ns,
            first_sequence=first,
            last_sequence=item.sequence - 1,
        )


class RecordingWriter:
    """Encodes one file. `first_number` continues one that has records already."""

    def __init__(self, head: RecordingHead, *, first_number: int = 1) -> None:
        self.head = encode_head(head)
        self._topic = head.topic
        self._seed = seed_of(self.head)
        self._number = first_number

    def items(self, items: Iterable[RecordedItem], taken_ns: int) -> Iterator[bytes]:
        """Yield the records of items that were taken together at `taken_ns` (Unix time).

        Raises `InvalidInputError` for a frame of another topic: a recording has one.
        """
        frames: list[Frame] = []
        size = 0
        for item in items:
            if isinstance(item, Frame):
                if item.topic != self._topic:
                    raise InvalidInputError(f"a frame of topic {item.topic} for a recording of {self._topic}")
                if frames and size + len(item.data) > RECORD_BYTES:
                    yield self._record(RecordKind.FRAMES, frames_payload(frames, taken_ns))
                    frames, size = [], 0
                frames.append(item)
                size += len(item.data)
                continue
            if frames:
                yield self._record(RecordKind.FRAMES, frames_payload(frames, taken_ns))
                frames, size = [], 0
            yield self._record(RecordKind.MARKER, marker_payload(item, taken_ns))
        if frames:
            yield self._record(RecordKind.FRAMES, frames_payload(frames, taken_ns))

    def end(self, taken_ns: int) -> bytes:
        """Return the record that says that this session of recording ended as it should."""
        return self._record(RecordKind.END, end_payload(taken_ns))

    def _record(self, kind: RecordKind, payload: bytes) -> bytes:
        data = encode_record(kind, self._number, payload, self._seed)
        self._number += 1
        return data
