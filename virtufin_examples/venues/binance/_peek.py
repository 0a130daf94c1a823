"""Symbols and the venue's numbers of a data frame, by a bounded scan."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from virtufin_examples.venues import Seen

_SCAN_BYTES = 320
_HEAD = re.compile(rb'\{"stream":"(?:([^"@!]{1,40})@)?([^"]{1,60})","data":')
_STREAM = re.compile(rb'[^"@!]{1,40}@([^"]{1,60})')
_TYPE = re.compile(rb'\{"e":"([^"]{1,24})"')
_SYMBOL = re.compile(rb'"s":"([^"]{1,40})"')
_DEPTH = re.compile(rb'"U":(\d{1,19}),"u":(\d{1,19})(?:,"pu":(\d{1,19}))?')
_EVENT = (
    rb'\{"e":"depthUpdate","E":\d{1,19},(?:"T":\d{1,19},)?'
    rb'"s":"([^"]{1,40})","U":(\d{1,19}),"u":(\d{1,19})(?:,"pu":(\d{1,19}))?'
)
_COMBINED = re.compile(rb'\{"stream":"([^"]{1,101})","data":' + _EVENT)
_RAW = re.compile(_EVENT)
DEPTH_UPDATE = "depthUpdate"
_NUMBERS = {
    b"trade": re.compile(rb'"t":(\d{1,19})'),
    b"aggTrade": re.compile(rb'"a":(\d{1,19})'),
    b"bookTicker": re.compile(rb'"u":(\d{1,19})'),
}
_BOOK_TICKER = re.compile(rb'\{"u":(\d{1,19}),"s":"([^"]{1,40})"')
_PARTIAL = re.compile(rb'\{"lastUpdateId":(\d{1,19})')


def peek(payload: bytes, *, exact_runs: bool = True) -> Sequence[Seen]:
    """Return what a frame tells: nothing for arrays of tickers and for what is no event.

    Depth events are a run without holes: spot `U` is the `u` before plus one, futures `pu` is the `u` before.
    On a raw socket the channel is the event's type; `exact_runs` is False where two runs of one symbol may
    mix there: their numbers tell nothing, and are left out. Ids of trades and book tickers only rise.
    """
    usual = _COMBINED.match(payload)  # one match for what almost every frame is
    if usual is not None:
        stream, symbol, first, last, previous = usual.groups()
        return (
            Seen(
                text_of(symbol), channel_of(stream), int(first), int(last), int(previous) if previous else 0
            ),
        )
    usual = _RAW.match(payload) if exact_runs else None
    if usual is not None:
        symbol, first, last, previous = usual.groups()
        return (Seen(text_of(symbol), DEPTH_UPDATE, int(first), int(last), int(previous) if previous else 0),)
    return _rarer(payload, exact_runs=exact_runs)


@functools.lru_cache(maxsize=16_384)
def channel_of(stream: bytes) -> str:
    """Return what a stream's name has behind the symbol."""
    name = _STREAM.fullmatch(stream)
    return text_of(name[1] if name is not None else stream)


@functools.lru_cache(maxsize=16_384)
def text_of(raw: bytes) -> str:
    """Return the same string for the same name: no decoding, and its hash is known."""
    return raw.decode("utf-8", "replace")


def _rarer(payload: bytes, *, exact_runs: bool) -> Sequence[Seen]:
    head = payload[:_SCAN_BYTES]
    start = _HEAD.match(head)
    at = start.end() if start is not None else 0
    kind = _TYPE.match(head, at)
    if kind is None:
        return _untyped(head, at, start)
    symbol = _SYMBOL.search(head, kind.end())
    if symbol is None:
        return ()
    name = text_of(symbol[1])
    channel = text_of(start[2] if start is not None else kind[1])
    if kind[1] == b"depthUpdate":
        ids = _DEPTH.search(head, symbol.end())
        if ids is None:
            return ()
        if start is None and not exact_runs:
            return (Seen(name, channel, gapless=False),)
        return (Seen(name, channel, int(ids[1]), int(ids[2]), int(ids[3] or 0)),)
    pattern = _NUMBERS.get(kind[1])
    found = pattern.search(head, kind.end()) if pattern is not None else None
    number = int(found[1]) if found is not None else 0
    return (Seen(name, channel, number, number, gapless=False),)


def _untyped(head: bytes, at: int, start: re.Match[bytes] | None) -> Sequence[Seen]:
    """Spot's book tickers and partial books do not name their type; the latter not even their symbol."""
    ticker = _BOOK_TICKER.match(head, at)
    if ticker is not None:
        number, channel = (
            int(ticker[1]),
            start[2].decode("utf-8", "replace") if start is not None else "bookTicker",
        )
        return (Seen(ticker[2].decode("utf-8", "replace"), channel, number, number, gapless=False),)
    partial = _PARTIAL.match(head, at)
    if partial is None or start is None or start[1] is None:
        return ()
    number = int(partial[1])
    symbol = start[1].decode("utf-8", "replace").upper()
    return (Seen(symbol, start[2].decode("utf-8", "replace"), number, number, gapless=False),)
