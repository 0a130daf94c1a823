"""JSON and msgpack, the two encodings of every stream."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca._time import NANOSECONDS, Timestamp

_S = TypeVar("_S", bound=msgspec.Struct)

MSGPACK_CONTENT_TYPE = "application/msgpack"
_TIMESTAMP_EXTENSION = -1
_JSON_STARTS = b"[{ \t\r\n"  # no msgpack array or map starts with one of these bytes
_MAX_SHORT_ARRAY = 15
_MAX_ARRAY = 65_535


class WireEncoding(enum.StrEnum):
    """How a connection spells its messages; chosen by the upgrade's Content-Type."""

    JSON = "json"
    MSGPACK = "msgpack"


def _json_hook(value: object) -> object:
    if isinstance(value, Timestamp):
        return value.rfc3339()
    raise NotImplementedError(f"{type(value).__name__} cannot be sent")


def _msgpack_hook(value: object) -> object:
    if isinstance(value, Timestamp):
        return msgspec.msgpack.Ext(_TIMESTAMP_EXTENSION, value.extension())
    raise NotImplementedError(f"{type(value).__name__} cannot be sent")


_json = msgspec.json.Encoder(enc_hook=_json_hook)
_msgpack = msgspec.msgpack.Encoder(enc_hook=_msgpack_hook)
_json_decoder = msgspec.json.Decoder()
_msgpack_decoder = msgspec.msgpack.Decoder()


def encode(message: object, encoding: WireEncoding) -> bytes:
    """Encode one message."""
    return _json.encode(message) if encoding is WireEncoding.JSON else _msgpack.encode(message)


def join(encoded: Sequence[bytes], encoding: WireEncoding) -> bytes:
    """Put encoded messages into one array; at most 65,535 of them."""
    if encoding is WireEncoding.JSON:
        return b"[" + b",".join(encoded) + b"]"
    size = len(encoded)
    if size > _MAX_ARRAY:
        raise ValueError(f"{size} messages in one array: at most {_MAX_ARRAY}")
    header = bytes((0x90 | size,)) if size <= _MAX_SHORT_ARRAY else b"\xdc" + size.to_bytes(2, "big")
    return header + b"".join(encoded)


def encoding_of(payload: bytes) -> WireEncoding:
    """Tell by the first byte how a message is spelt."""
    return WireEncoding.JSON if payload[:1] in _JSON_STARTS else WireEncoding.MSGPACK


def decode(payload: bytes) -> object:
    """Decode a message of either encoding into plain values; `InvalidInputError` when it is neither.

    msgpack timestamps become datetimes, which keep microseconds.
    """
    decoder = _json_decoder if encoding_of(payload) is WireEncoding.JSON else _msgpack_decoder
    try:
        value: object = decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"message: neither JSON nor msgpack: {error}") from error
    return value


def transcode(payload: bytes, encoding: WireEncoding) -> bytes:
    """Spell a message in another encoding: JSON with resolved secrets for a stream that takes msgpack."""
    return payload if encoding_of(payload) is encoding else encode(decode(payload), encoding)


def struct_hook(kind: type, value: object) -> object:
    """Read what msgspec has no type for: a `Timestamp`."""
    if kind is not Timestamp:
        raise NotImplementedError(f"{kind.__name__} cannot be read")
    if isinstance(value, dt.datetime):
        whole = value.replace(microsecond=0)
        return Timestamp(int(whole.timestamp()) * NANOSECONDS + value.microsecond * 1000)
    if isinstance(value, str):
        return Timestamp.parse(value)
    raise TypeError(f"expected a time, got {type(value).__name__}")


@dataclass(frozen=True, slots=True)
class Answer:
    """One WebSocket message to send."""

    payload: bytes
    binary: bool


def read_struct(value: object, kind: type[_S]) -> _S:
    """Turn a decoded message into its struct; `InvalidInputError` names the field that does not fit."""
    try:
        return msgspec.convert(value, kind, dec_hook=struct_hook)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"message: {error}") from error
