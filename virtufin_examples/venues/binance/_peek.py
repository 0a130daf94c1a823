"""Symbols and the venue's numbers of a data frame, by a bounded scan."""

from __future__ import annotations

import re
from collections.abc import Sequence

from virtufin_examples.venues import Seen

_SCAN_BYTES = 320
_HEAD = re.compile(rb'\{"stream":"(?:([^"@!]{1,40})@)?([^"]{1,60})","data":')
_TYPE = re.compile(rb'\{"e":"([^"]{1,24})"')
_SYMBOL = re.compile(rb'"s":"([^"]{1,40})"')
_DEPTH = re.compile(rb'"U":(\d{1,19}),"u":(\d{1,19})(?:,"pu":(\d{1,19}))?')
_USUAL = re.compile(
    rb'(?:\{"stream":"[^"@!]{1,40}@([^"]{1,60})","data":)?\{"e":"depthUpdate","E":\d{1,19},(?:"T":\d{1,19},)?'
    rb'"s":"([^"]{1,40})","U":(\d{1,19}),"u":(\d{1,19})(?:,"pu":(\d{1,19}))?'
)
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
    usual = _USUAL.match(payload)  # one match for what almost every frame is
    if usual is not None:
        stream, symbol_name, first, last, previous = usual.groups(b"")
        channel = stream.decode("utf-8", "replace") or "depthUpdate"
        name = symbol_name.decode("utf-8", "replace")
        return (_depth(name, channel, (first, last, previous), exact=exact_runs or bool(stream)),)
    head = payload[:_SCAN_BYTES]
    start = _HEAD.match(head)
    at = start.end() if start is not None else 0
    kind = _TYPE.match(head, at)
    if kind is None:
        return _untyped(head, at, start)
    symbol = _SYMBOL.search(head, kind.end())
    if symbol is None:
        return ()
    name = symbol[1].decode("utf-8", "replace")
    channel = (start[2] if start is not None else kind[1]).decode("utf-8", "replace")
    if kind[1] == b"depthUpdate":
        ids = _DEPTH.search(head, symbol.end())
        if ids is None:
            return ()
        return (_depth(name, channel, ids.groups(), exact=exact_runs or start is not None),)
    pattern = _NUMBERS.get(kind[1])
    found = pattern.search(head, kind.end()) if pattern is not None else None
    number = int(found[1]) if found is not None else 0
    return (Seen(name, channel, number, number, gapless=False),)


def _depth(symbol: str, channel: str, ids: Sequence[bytes | None], *, exact: bool) -> Seen:
    if not exact:
        return Seen(symbol, channel, gapless=False)
    first, last, previous = (int(each or 0) for each in ids)
    return Seen(symbol, channel, first, last, previous)


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
