"""Markers and heartbeats as plain messages: JSON with nanoseconds as strings and the field `connectionid`."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames._model import Gap, Heartbeat, Restored, Stale
from virtufin_examples.frames._names import EVENT_TYPE_PREFIX

Note: TypeAlias = Gap | Stale | Restored | Heartbeat

_KINDS: dict[str, type[Note]] = {
    EVENT_TYPE_PREFIX + "gap": Gap,
    EVENT_TYPE_PREFIX + "stale": Stale,
    EVENT_TYPE_PREFIX + "restored": Restored,
    EVENT_TYPE_PREFIX + "heartbeat": Heartbeat,
}
_TYPES = {kind: name for name, kind in _KINDS.items()}

# Left out where they say nothing.
_OPTIONAL = frozenset(
    {
        "first_sequence",
        "last_sequence",
        "symbols",
        "venue_from",
        "venue_to",
        "reason",
        "queued_bytes",
        "publisher",
    }
)


class _WireBeat(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A `ConnectionBeat` as it travels. A heartbeat may name thousands: it is written without a dict each."""

    connectionid: str
    state: str
    epoch: int
    last_received_ns: str
    last_sequence: int = 0
    queued_bytes: int = 0


class _WireHeartbeat(msgspec.Struct, frozen=True):
    topic: str
    kind: str
    sent_ns: str
    connections: list[_WireBeat]
    publisher: str | msgspec.UnsetType = msgspec.UNSET


def encode_note(note: Note) -> tuple[str, bytes]:
    """Return the CloudEvent type and the JSON of a marker or heartbeat."""
    wire = _wire_heartbeat(note) if isinstance(note, Heartbeat) else note_dict(note)
    return _TYPES[type(note)], msgspec.json.encode(wire)


def is_note(event_type: str) -> bool:
    """Return whether a CloudEvent type is a marker's or a heartbeat's."""
    return event_type in _KINDS


def decode_note(topic: str, event_type: str, data: bytes) -> Note:
    """Return the marker or heartbeat; raises `InvalidInputError` naming what is wrong with it."""
    try:
        return msgspec.convert(_from_wire(msgspec.json.decode(data)), _KINDS[event_type])
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"topic {topic}: bad {event_type}: {error}") from error


def note_dict(note: Note) -> dict[str, Any]:
    """Return the JSON form: what travels, and what `--json` prints.

    Nanoseconds are strings of digits, since readers round JSON numbers above 2^53. Fields that say nothing
    (no symbols, no sequences) are left out.
    """
    wire = _to_wire(msgspec.to_builtins(note))
    assert isinstance(wire, dict)  # noqa: S101 - a struct becomes a dict
    return wire


def _wire_heartbeat(note: Heartbeat) -> _WireHeartbeat:
    beats = [
        _WireBeat(
            beat.connection_id,
            beat.state,
            beat.epoch,
            str(beat.last_received_ns),
            beat.last_sequence,
            beat.queued_bytes,
        )
        for beat in note.connections
    ]
    return _WireHeartbeat(note.topic, note.kind, str(note.sent_ns), beats, note.publisher or msgspec.UNSET)


def _to_wire(value: object) -> object:
    if isinstance(value, dict):
        return {
            "connectionid" if name == "connection_id" else name: str(entry)
            if name.endswith("_ns")
            else _to_wire(entry)
            for name, entry in value.items()
            if entry or name not in _OPTIONAL
        }
    return [_to_wire(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _from_wire(value: object) -> object:
    if isinstance(value, dict):
        return {
            "connection_id" if name == "connectionid" else name: _nanoseconds(name, entry)
            if name.endswith("_ns")
            else _from_wire(entry)
            for name, entry in value.items()
        }
    return [_from_wire(entry) for entry in value] if isinstance(value, list) else value


def _nanoseconds(name: str, value: object) -> int:
    if not isinstance(value, str) or not (value.isascii() and value.isdecimal()):
        raise ValueError(f"{name} is {value!r}, not digits in a text")
    return int(value)
