"""Every message that Alpaca's market-data streams send, as structs.

Field names are those on the wire; `T` is written first, as the Go SDK needs it. Times are `Timestamp`:
RFC 3339 with nanoseconds in JSON, the Timestamp extension in msgpack. The trading stream's messages are
in `_trading_messages`.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from virtufin_examples.venues.alpaca._time import Timestamp


class Message(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, tag_field="T"):
    """Base of all messages; `T` names the type."""


class Trade(Message, frozen=True, tag="t"):
    """A stock trade: `i` id, `x` exchange, `p` price, `s` size, `c` conditions, `z` tape."""

    S: str
    i: int
    x: str
    p: float
    s: int
    c: tuple[str, ...]
    t: Timestamp
    z: str


class Quote(Message, frozen=True, tag="q"):
    """A stock's best bid (`bx`, `bp`, `bs`) and ask (`ax`, `ap`, `as`); sizes are round lots."""

    S: str
    bx: str
    bp: float
    bs: int
    ax: str
    ap: float
    as_: int = msgspec.field(name="as")
    c: tuple[str, ...]
    t: Timestamp
    z: str


class _BarFields(Message, frozen=True):
    S: str
    o: float
    h: float
    l: float  # noqa: E741 - the wire's name
    c: float
    v: float
    n: int
    vw: float
    t: Timestamp


class Bar(_BarFields, frozen=True, tag="b"):
    """A minute bar, sent just after the minute: `v` volume, `n` trades, `vw` mean price."""


class UpdatedBar(_BarFields, frozen=True, tag="u"):
    """A minute bar that late trades have changed, about 30 s later."""


class DailyBar(_BarFields, frozen=True, tag="d"):
    """The day's bar so far; it is no trade, those are `t`."""


class Correction(Message, frozen=True, tag="c"):
    """A trade's correction: `o..` as it was, `c..` as it is."""

    S: str
    x: str
    oi: int
    op: float
    os: int
    oc: tuple[str, ...]
    ci: int
    cp: float
    cs: int
    cc: tuple[str, ...]
    t: Timestamp
    z: str


class CancelError(Message, frozen=True, tag="x"):
    """A trade taken back: `a` is "C" for a cancel, "E" for an error."""

    S: str
    i: int
    x: str
    p: float
    s: int
    a: str
    t: Timestamp
    z: str


class Luld(Message, frozen=True, tag="l"):
    """Limit-up (`u`) and limit-down (`d`) prices with their indicator `i`."""

    S: str
    u: float
    d: float
    i: str
    t: Timestamp
    z: str


class Status(Message, frozen=True, tag="s"):
    """A trading status: code and message of the status (`sc`, `sm`) and of its reason (`rc`, `rm`)."""

    S: str
    sc: str
    sm: str
    rc: str
    rm: str
    t: Timestamp
    z: str


class Imbalance(Message, frozen=True, tag="i"):
    """An auction's imbalance price."""

    S: str
    p: float
    z: str
    t: Timestamp


class CryptoTrade(Message, frozen=True, tag="t"):
    """A crypto trade; `tks` is the taker's side, "B" or "S"."""

    S: str
    p: float
    s: float
    t: Timestamp
    i: int
    tks: str


class CryptoQuote(Message, frozen=True, tag="q"):
    """The best bid and ask of a crypto pair."""

    S: str
    bp: float
    bs: float
    ap: float
    as_: float = msgspec.field(name="as")
    t: Timestamp


class Level(msgspec.Struct, frozen=True, gc=False):
    """One price level of a book: the whole size at the price, 0 deletes it."""

    p: float
    s: float


class Orderbook(Message, frozen=True, tag="o"):
    """A book's levels: all of them when `r` is true, otherwise those that changed."""

    S: str
    t: Timestamp
    b: tuple[Level, ...]
    a: tuple[Level, ...]
    r: bool = False


class OptionTrade(Message, frozen=True, tag="t"):
    """An option trade; `S` is the OCC symbol, `c` one condition."""

    S: str
    t: Timestamp
    p: float
    s: int
    x: str
    c: str


class OptionQuote(Message, frozen=True, tag="q"):
    """An option's best bid and ask."""

    S: str
    t: Timestamp
    bx: str
    bp: float
    bs: int
    ax: str
    ap: float
    as_: int = msgspec.field(name="as")
    c: str


class News(Message, frozen=True, tag="n"):
    """An article; `content` may be HTML."""

    id: int
    headline: str
    summary: str
    author: str
    created_at: Timestamp
    updated_at: Timestamp
    url: str
    content: str
    symbols: tuple[str, ...]
    source: str


class Success(Message, frozen=True, tag="success"):
    """`connected` or `authenticated`."""

    msg: str


class ErrorMessage(Message, frozen=True, tag="error"):
    """A refusal; see `ERROR_CODES`."""

    code: int
    msg: str


DataMessage: TypeAlias = (
    Trade
    | Quote
    | Bar
    | UpdatedBar
    | DailyBar
    | Correction
    | CancelError
    | Luld
    | Status
    | Imbalance
    | CryptoTrade
    | CryptoQuote
    | Orderbook
    | OptionTrade
    | OptionQuote
    | News
)

CHANNEL_OF_TYPE: dict[str, str] = {
    "t": "trades",
    "q": "quotes",
    "b": "bars",
    "u": "updatedBars",
    "d": "dailyBars",
    "c": "corrections",
    "x": "cancelErrors",
    "l": "lulds",
    "s": "statuses",
    "i": "imbalances",
    "o": "orderbooks",
    "n": "news",
}
