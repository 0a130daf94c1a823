"""Messages of Binance's streams as structs, with the names of the wire.

Prices and sizes are decimals as text; times are Unix milliseconds (microseconds with
`timeUnit=MICROSECOND`). Sources: binance-spot-api-docs, web-socket-streams, "Detailed Stream information";
USD-M futures, "Websocket Market Streams".
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Level = tuple[str, str]  # price, size


class Message(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, tag_field="e"):
    """Base of the messages that name their type in `e`."""


class DepthUpdate(Message, frozen=True, tag="depthUpdate"):
    """Changes of a book: updates `U` to `u`; bids `b` and asks `a` with their whole size.

    USD-M futures add the transaction time `T` and `pu`, the last `u` before.
    """

    E: int
    s: str
    U: int
    u: int
    b: tuple[Level, ...]
    a: tuple[Level, ...]
    T: int | None = None
    pu: int | None = None


class Trade(Message, frozen=True, tag="trade"):
    """A trade: `t` id, `p` price, `q` size, `T` time, `m` the buyer was the maker."""

    E: int
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool
    M: bool | None = None


class AggTrade(Message, frozen=True, tag="aggTrade"):
    """What one order took, `f` to `l` being its trades."""

    E: int
    s: str
    a: int
    p: str
    q: str
    f: int
    l: int  # noqa: E741 - the wire's name
    T: int
    m: bool
    M: bool | None = None


class KlineFields(msgspec.Struct, frozen=True, gc=False):
    """A candle: `t` to `T`, trades `f` to `L`, prices, volumes; `x` it is complete."""

    t: int
    T: int
    s: str
    i: str
    f: int
    L: int
    o: str
    c: str
    h: str
    l: str  # noqa: E741 - the wire's name
    v: str
    n: int
    x: bool
    q: str
    V: str
    Q: str
    B: str = "0"


class Kline(Message, frozen=True, tag="kline"):
    """A candle so far."""

    E: int
    s: str
    k: KlineFields


class MiniTicker(Message, frozen=True, tag="24hrMiniTicker"):
    """The last 24 hours in short: close, open, high, low, volumes."""

    E: int
    s: str
    c: str
    o: str
    h: str
    l: str  # noqa: E741 - the wire's name
    v: str
    q: str


class Ticker(Message, frozen=True, tag="24hrTicker"):
    """The last 24 hours: change `p`, `P` %, mean `w`, last `c` `Q`, open to volumes, times, trades.

    Futures leave out `x` and the best bid and ask.
    """

    E: int
    s: str
    p: str
    P: str
    w: str
    c: str
    Q: str
    o: str
    h: str
    l: str  # noqa: E741 - the wire's name
    v: str
    q: str
    O: int  # noqa: E741 - the wire's name
    C: int
    F: int
    L: int
    n: int
    x: str | None = None
    b: str | None = None
    B: str | None = None
    a: str | None = None
    A: str | None = None


class ServerShutdown(Message, frozen=True, tag="serverShutdown"):
    """The server will close its sockets soon: connect anew at once."""

    E: int


class BookTicker(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The best bid and ask after update `u`. Only futures have `e`, `E` and `T`."""

    u: int
    s: str
    b: str
    B: str
    a: str
    A: str
    e: str | None = None
    T: int | None = None
    E: int | None = None


class PartialDepth(msgspec.Struct, frozen=True, gc=False):
    """A snapshot: of the REST API, or the best levels of a spot `depth<n>` stream (which names no symbol)."""

    lastUpdateId: int  # noqa: N815 - the wire's name
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


Tagged: TypeAlias = DepthUpdate | Trade | AggTrade | Kline | MiniTicker | Ticker | ServerShutdown
DataMessage: TypeAlias = Tagged | BookTicker | PartialDepth
