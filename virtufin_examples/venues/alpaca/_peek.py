"""Finds the symbols of a data frame without parsing it, and the messages that it is made of."""

from __future__ import annotations

import functools
import re
from itertools import islice

import msgspec

from virtufin_examples.venues import Seen

_SCAN_BYTES = 16 * 1024
_MAX_SYMBOLS = 256
_MAX_NAME_BYTES = 32
_KEY = b'"S":"'
_KEY_BYTES = len(_KEY)
_MSGPACK = re.compile(rb"\xa1S([\xa1-\xbf])", re.DOTALL)
_JSON_STARTS = b"[{ \t\r\n"
_json_array = msgspec.json.Decoder(list[msgspec.Raw])
_msgpack_array = msgspec.msgpack.Decoder(list[msgspec.Raw])


def peek(payload: bytes) -> list[Seen]:
    """Return each symbol once, in order, of the first 16 KiB and at most 256 of them; both encodings."""
    names = _json_names(payload) if payload[:1] in _JSON_STARTS else _msgpack_names(payload[:_SCAN_BYTES])
    if len(names) == 1:
        return [_seen(names[0])]
    return [_seen(name) for name in dict.fromkeys(names)]


def messages(payload: bytes) -> list[bytes]:
    """Return the messages of a frame's array, as they are spelt there; the frame itself where it is none.

    Alpaca may pack the same messages into other arrays on another socket.
    """
    decoder = _json_array if payload[:1] in _JSON_STARTS else _msgpack_array
    try:
        return [bytes(message) for message in decoder.decode(payload)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [payload]


def _json_names(payload: bytes) -> list[bytes]:
    names: list[bytes] = []
    find = payload.find
    at = find(_KEY, 0, _SCAN_BYTES)
    while at >= 0 and len(names) < _MAX_SYMBOLS:
        start = at + _KEY_BYTES
        end = find(b'"', start, start + _MAX_NAME_BYTES + 1)
        if end > start:
            names.append(payload[start:end])
        at = find(_KEY, start, _SCAN_BYTES)
    return names


def _msgpack_names(head: bytes) -> list[bytes]:
    return [
        head[match.end() : match.end() + match[1][0] - 0xA0]
        for match in islice(_MSGPACK.finditer(head), _MAX_SYMBOLS)
    ]


@functools.lru_cache(maxsize=16_384)
def _seen(name: bytes) -> Seen:
    return Seen(name.decode(errors="replace"))
