"""Frames to messages and back."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from virtufin_examples.books import Diff, Rule, Snapshot
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.binance._endpoints import Market
from virtufin_examples.venues.binance._messages import (
    BookTicker,
    DataMessage,
    DepthUpdate,
    PartialDepth,
    Tagged,
)


class _Combined(msgspec.Struct, frozen=True):
    stream: str
    data: msgspec.Raw


_combined = msgspec.json.Decoder(_Combined)
_tagged = msgspec.json.Decoder(Tagged)
_book_ticker = msgspec.json.Decoder(BookTicker)
_partial_depth = msgspec.json.Decoder(PartialDepth)
_any = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()

_COMBINED_START = b'{"stream"'
_MOST_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Event:
    """A frame read: its stream (empty on a raw socket) and its message.

    The message is None for what we have no struct for; `raw` is the event's JSON as it came.
    """

    stream: str
    message: DataMessage | None
    raw: bytes


def split_frame(payload: bytes) -> tuple[str, bytes]:
    """Return a frame's stream (empty on a raw socket) and its event; `InvalidInputError` for no JSON."""
    if not payload.startswith(_COMBINED_START):
        return "", payload
    try:
        frame = _combined.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(payload, error) from error
    return frame.stream, bytes(frame.data)


def read_event(payload: bytes) -> Event:
    """Read a frame of either kind of socket; `InvalidInputError` when it is no JSON."""
    stream, raw = split_frame(payload)
    try:
        if raw.startswith(b'{"lastUpdateId"'):
            return Event(stream, _partial_depth.decode(raw), raw)
        if raw.startswith((b'{"u"', b'{"e":"bookTicker"')):
            return Event(stream, _book_ticker.decode(raw), raw)
        if raw.startswith(b'{"e"'):
            return Event(stream, _tagged.decode(raw), raw)
    except msgspec.ValidationError:
        pass  # an event that we have no struct for
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(payload, error) from error
    decode(raw)
    return Event(stream, None, raw)


def read_snapshot(body: bytes) -> Snapshot:
    """Read the body of a REST depth answer; `InvalidInputError` when it is none (an error answer)."""
    try:
        depth = _partial_depth.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(body, error) from error
    return Snapshot(depth.lastUpdateId, depth.bids, depth.asks)


def diff_of(message: DepthUpdate) -> Diff:
    """Return a depth event as a book takes it."""
    return Diff(message.U, message.u, message.b, message.a, message.pu)


def rule_of(market: Market) -> Rule:
    """Return the book rule of a market."""
    return Rule.FUTURES if market is Market.USD_M else Rule.SPOT


def encode(message: object) -> bytes:
    """Encode a message."""
    return _encoder.encode(message)


def combined(stream: str, encoded: bytes) -> bytes:
    """Wrap an encoded event as a combined socket sends it."""
    return b'{"stream":' + _encoder.encode(stream) + b',"data":' + encoded + b"}"


def decode(payload: bytes) -> object:
    """Decode JSON into plain values; `InvalidInputError` when it is none."""
    try:
        value: object = _any.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(payload, error) from error
    return value


def _unreadable(payload: bytes, error: Exception) -> InvalidInputError:
    return InvalidInputError(f"message: {payload[:_MOST_SHOWN]!r} cannot be read: {error}")
