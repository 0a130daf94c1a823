"""Frames to structs: the fast way to read them."""

from __future__ import annotations

import functools
from typing import TypeVar

import msgspec

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca._codec import (
    WireEncoding,
    decode,
    encoding_of,
    read_struct,
    struct_hook,
)
from virtufin_examples.venues.alpaca._messages import Message

_M = TypeVar("_M", bound=Message)
_Decoder = msgspec.json.Decoder[list[_M]] | msgspec.msgpack.Decoder[list[_M]]


def read_messages(payload: bytes, *kinds: type[_M]) -> list[_M]:
    """Return a frame's messages of these kinds in their order, JSON or msgpack; others are left out.

    A stock's trade and a coin's have the same `T`, so the kinds say which it is: `Trade, Quote, Bar` or
    `CryptoTrade, CryptoQuote, ...`. `InvalidInputError` for a frame that is neither JSON nor msgpack, and for
    a message that does not fit its kind. A frame with nothing else than these kinds is decoded in one go.
    """
    try:
        return _decoder(encoding_of(payload), kinds).decode(payload)
    except msgspec.DecodeError:
        return _picked(payload, kinds)


def _picked(payload: bytes, kinds: tuple[type[_M], ...]) -> list[_M]:
    """Read message by message: there are others among them, or one is wrong, which is then named."""
    value = decode(payload)
    by_type = {str(kind.__struct_config__.tag): kind for kind in kinds}
    found: list[_M] = []
    for message in value if isinstance(value, list) else [value]:
        if not isinstance(message, dict):
            raise InvalidInputError(f"frame: {type(message).__name__} where a message was expected")
        kind = by_type.get(str(message.get("T", "")))
        if kind is not None:
            found.append(read_struct(message, kind))
    return found


@functools.lru_cache(maxsize=64)
def _decoder(encoding: WireEncoding, kinds: tuple[type[_M], ...]) -> _Decoder[_M]:
    union = functools.reduce(lambda one, other: one | other, kinds)  # type: ignore[arg-type,return-value]
    make = msgspec.json.Decoder if encoding is WireEncoding.JSON else msgspec.msgpack.Decoder
    return make(list[union], dec_hook=struct_hook)  # type: ignore[valid-type]
