"""The update ids of a whole read of depth events: what `peek` finds frame by frame, in half of its time.

Binance writes a kind of event always in the same order, so that the first frame tells where the others have
their fields. All numbers become integers in one call, and objects are made once a run. It takes three
quarters of the time of a pattern matched on each frame.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from itertools import repeat
from typing import Annotated, NamedTuple

import msgspec

from virtufin_examples.venues import Seen
from virtufin_examples.venues.binance._peek import DEPTH_UPDATE, channel_of, text_of

_STREAM, _SYMBOL = b'{"stream":"', b'"s":"'
_COMBINED_KIND = b'"data":{"e":"depthUpdate"'
_RAW_KIND = b'{"e":"depthUpdate"'
_TRANSACTION = b'"T":'  # futures have the matching engine's time beside the event's
_FIRST, _LAST, _PREVIOUS = b'"U":', b'"u":', b'"pu":'
_MOST_FIELDS = 9
_ANY = msgspec.json.Decoder(list[Annotated[int, msgspec.Meta(ge=0)]])
_POSITIVE = msgspec.json.Decoder(list[Annotated[int, msgspec.Meta(ge=1)]])


class _Read(NamedTuple):
    """The fields of a read's events; `previous` is empty for spot's."""

    is_combined: bool
    keys: Sequence[bytes]
    symbols: Sequence[bytes]
    firsts: list[int]
    lasts: list[int]
    previous: list[int]


def stretches(payloads: Sequence[bytes], *, exact_runs: bool) -> Sequence[Seen] | None:
    """Return each run's numbers, from its first frame here to its last; None where `peek` is to be asked.

    It is to be with a frame that is not a depth event like the first, with a hole, and with numbers that
    fall. All events of one stream are of one symbol.
    """
    try:
        read = _fields(payloads)
        if not (read.is_combined or exact_runs):
            return None
        return [_seen(read, key, last) for key, last in _followed(read).items()]
    except (ValueError, IndexError):  # not as Binance writes them, or not one behind the other
        return None


def _fields(payloads: Sequence[bytes]) -> _Read:
    fields = payloads[0].split(b",", _MOST_FIELDS)
    is_combined = fields[0].startswith(_STREAM)
    at_kind, kind = (1, _COMBINED_KIND) if is_combined else (0, _RAW_KIND)
    at_symbol = at_kind + (3 if fields[at_kind + 2].startswith(_TRANSACTION) else 2)
    is_futures = fields[at_symbol + 3].startswith(_PREVIOUS)
    behind = at_symbol + (4 if is_futures else 3)
    columns = tuple(zip(*map(bytes.split, payloads, repeat(b","), repeat(behind)), strict=True))
    if columns[at_kind].count(kind) != len(payloads):
        raise ValueError(kind)
    symbols = columns[at_symbol]
    return _Read(
        is_combined,
        columns[0] if is_combined else symbols,
        symbols,
        _integers(columns[at_symbol + 1], _FIRST, _ANY),
        _integers(columns[at_symbol + 2], _LAST, _POSITIVE),
        _integers(columns[at_symbol + 3], _PREVIOUS, _POSITIVE) if is_futures else [],
    )


def _followed(read: _Read) -> dict[bytes, int]:
    """Return each run's last number; `ValueError` where one does not go on."""
    begins, step = (read.previous, 0) if read.previous else (read.firsts, 1)
    if any(map(operator.lt, read.lasts, read.previous)):
        raise ValueError(_PREVIOUS)
    nexts: dict[bytes, list[int]] = {}  # a list of one spares the second look into the dict
    for key, begin, last in zip(read.keys, begins, read.lasts, strict=True):
        due = nexts.get(key)
        if due is None:
            nexts[key] = [last + step]
        elif due[0] == begin:
            due[0] = last + step
        else:
            raise ValueError(key)
    return {key: due[0] - step for key, due in nexts.items()}


def _seen(read: _Read, key: bytes, last: int) -> Seen:
    at = read.keys.index(key)
    return Seen(
        _symbol(read.symbols[at]),
        _channel(key) if read.is_combined else DEPTH_UPDATE,
        read.firsts[at],
        last,
        read.previous[at] if read.previous else 0,
    )


def _integers(column: Sequence[bytes], name: bytes, decoder: msgspec.json.Decoder[list[int]]) -> list[int]:
    """Return the numbers of `"U":1`, `"U":2`, ...; `ValueError` for anything else, leading zeros as well."""
    texts = b",".join(column)
    bare = texts.replace(name, b"")
    if len(texts) - len(bare) != len(column) * len(name):
        raise ValueError(name)
    return decoder.decode(b"[%b]" % bare)


@functools.lru_cache(maxsize=16_384)
def _symbol(field: bytes) -> str:
    return text_of(_inside(field, _SYMBOL))


@functools.lru_cache(maxsize=16_384)
def _channel(field: bytes) -> str:
    return channel_of(_inside(field, _STREAM))


def _inside(field: bytes, start: bytes) -> bytes:
    """Return what stands between `start` and the last quotation mark; `ValueError` where that is not so."""
    inside = field[len(start) : -1]
    if not inside or b'"' in inside or field != b'%b%b"' % (start, inside):
        raise ValueError(field)
    return inside
