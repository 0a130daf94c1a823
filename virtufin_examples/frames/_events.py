"""One frame as a structured CloudEvent: the `frame` encoding of a topic."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames._model import Frame, FrameFlag
from virtufin_examples.frames._names import (
    BINARY_CONTENT_TYPE,
    EVENT_SOURCE,
    FRAME_EVENT_TYPE,
    TEXT_CONTENT_TYPE,
)

# Plain integers: an operation on an `IntFlag` takes longer than the whole encoding.
_BINARY = int(FrameFlag.BINARY)
_SIMULATED = int(FrameFlag.SIMULATED)
_BACKFILL = int(FrameFlag.BACKFILL)
_RECOVERED = int(FrameFlag.RECOVERED)

_TRUE = "true"
_MAX_DIGITS = 20  # of a 64-bit number
_FLAG_ATTRIBUTES = (("simulated", _SIMULATED), ("backfill", _BACKFILL), ("recovered", _RECOVERED))


class _FrameEvent(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The JSON form. Numbers are strings: Dapr hands JSON numbers on as floats, which round above 2^53."""

    specversion: str
    type: str
    source: str
    id: str
    datacontenttype: str
    connectionid: str
    epoch: str
    sequence: str
    receivedtime: str
    connectionurl: str = ""
    venuesequence: str = ""
    simulated: str = ""
    backfill: str = ""
    recovered: str = ""
    data: str | msgspec.UnsetType = msgspec.UNSET
    data_base64: bytes | msgspec.UnsetType = msgspec.UNSET


_encode = msgspec.json.Encoder().encode


def encode_frame_event(frame: Frame, *, source: str = EVENT_SOURCE) -> bytes:
    """Return the structured CloudEvent of a frame, for content type `application/cloudevents+json`.

    A text frame travels as `data` and comes out exact; a binary one as `data_base64`. Raises
    `InvalidInputError` for a text frame that is not UTF-8, which no connection lets through.
    """
    flags = int(frame.flags)
    binary = bool(flags & _BINARY)
    try:
        text = msgspec.UNSET if binary else frame.data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"frame {frame.connection_id}-{frame.sequence} is marked as text but is not UTF-8: {error}",
            hint="give binary frames the flag BINARY",
        ) from error
    return _encode(
        _FrameEvent(
            "1.0",
            FRAME_EVENT_TYPE,
            source,
            f"{frame.connection_id}-{frame.sequence}",
            BINARY_CONTENT_TYPE if binary else TEXT_CONTENT_TYPE,
            frame.connection_id,
            str(frame.epoch),
            str(frame.sequence),
            str(frame.received_ns),
            frame.connection_url,
            str(frame.venue_sequence) if frame.venue_sequence else "",
            _TRUE if flags & _SIMULATED else "",
            _TRUE if flags & _BACKFILL else "",
            _TRUE if flags & _RECOVERED else "",
            text,
            frame.data if binary else msgspec.UNSET,
        )
    )


def frame_from_event(topic: str, content_type: str, data: bytes, extensions: Mapping[str, object]) -> Frame:
    """Return the frame of a delivered event; raises `InvalidInputError` naming the extension at fault."""
    flags = _BINARY if content_type.startswith(BINARY_CONTENT_TYPE) else 0
    for name, flag in _FLAG_ATTRIBUTES:
        if extensions.get(name) == _TRUE:
            flags |= flag
    return Frame(
        topic=topic,
        connection_id=_text(topic, extensions, "connectionid"),
        epoch=_number(topic, extensions, "epoch"),
        sequence=_number(topic, extensions, "sequence"),
        received_ns=_number(topic, extensions, "receivedtime"),
        data=data,
        flags=FrameFlag(flags),
        venue_sequence=_number(topic, extensions, "venuesequence") if "venuesequence" in extensions else 0,
        connection_url=str(extensions.get("connectionurl", "")),
    )


def _text(topic: str, extensions: Mapping[str, object], name: str) -> str:
    value = extensions.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInputError(f"topic {topic}: extension {name} of a frame is {value!r}, not a text")
    return value


def _number(topic: str, extensions: Mapping[str, object], name: str) -> int:
    value = extensions.get(name)
    if not (isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _MAX_DIGITS):
        raise InvalidInputError(
            f"topic {topic}: extension {name} of a frame is {value!r}, not digits in text"
        )
    return int(value)
