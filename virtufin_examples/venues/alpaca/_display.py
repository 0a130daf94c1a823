"""A frame read for people: what a table or a line shows of each message in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca._codec import decode


@dataclass(frozen=True, slots=True)
class FrameItem:
    """One message of a frame.

    `type` is its `T` (for the trading stream the stream's name). `price` and `size` are a trade's, or a
    bar's close and volume; `bid` and `ask` a quote's, or the best of the levels that a book message
    names (apply `raw` to an `OrderBook` for the book's own). `text` is what a message without prices
    says. `raw` is the message as decoded.
    """

    type: str
    symbol: str
    raw: Mapping[str, object]
    price: float | None = None
    size: float | None = None
    bid: float | None = None
    bid_size: float | None = None
    ask: float | None = None
    ask_size: float | None = None
    text: str = ""


def parse_frame(data: bytes) -> list[FrameItem]:
    """Return the messages of a frame, JSON or msgpack; `InvalidInputError` when it is neither."""
    value = decode(data)
    messages = value if isinstance(value, list) else [value]
    return [_item(message) for message in messages]


def _item(message: object) -> FrameItem:
    if not isinstance(message, dict):
        raise InvalidInputError(f"frame: {type(message).__name__} where a message was expected")
    kind = str(message.get("T", message.get("stream", "")))
    symbol = str(message.get("S", ""))
    if kind in {"b", "u", "d"}:
        return FrameItem(
            kind, symbol, message, price=_number(message.get("c")), size=_number(message.get("v"))
        )
    if kind == "o":
        bid, bid_size = _best(message.get("b"), highest=True)
        ask, ask_size = _best(message.get("a"), highest=False)
        return FrameItem(kind, symbol, message, bid=bid, bid_size=bid_size, ask=ask, ask_size=ask_size)
    if kind in {"t", "q", "x", "i"}:
        return FrameItem(
            kind,
            symbol,
            message,
            price=_number(message.get("p")),
            size=_number(message.get("s")),
            bid=_number(message.get("bp")),
            bid_size=_number(message.get("bs")),
            ask=_number(message.get("ap")),
            ask_size=_number(message.get("as")),
        )
    if kind == "c":
        price, size = _number(message.get("cp")), _number(message.get("cs"))
        return FrameItem(kind, symbol, message, price=price, size=size)
    return FrameItem(kind, symbol or _symbols(message), message, text=_text(kind, message))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _best(levels: object, *, highest: bool) -> tuple[float | None, float | None]:
    """The best price among the levels that have a size, with the size."""
    best: tuple[float, float] | None = None
    for level in levels if isinstance(levels, Sequence) else ():
        price, size = (
            (_number(level.get("p")), _number(level.get("s"))) if isinstance(level, dict) else (0, 0)
        )
        if not price or not size:
            continue
        if best is None or (price > best[0] if highest else price < best[0]):
            best = (price, size)
    return best or (None, None)


def _symbols(message: Mapping[str, object]) -> str:
    symbols = message.get("symbols")
    return ",".join(str(symbol) for symbol in symbols) if isinstance(symbols, list) else ""


def _text(kind: str, message: Mapping[str, object]) -> str:
    if kind == "subscription":
        return ", ".join(f"{name}: {value}" for name, value in message.items() if name != "T" and value)
    if kind == "error":
        return f"{message.get('code')} {message.get('msg')}"
    if kind == "l":
        return f"down {message.get('d')} up {message.get('u')}"
    data = message.get("data")
    if isinstance(data, dict):
        return " ".join(str(data[name]) for name in ("event", "status", "action", "streams") if name in data)
    for name in ("msg", "headline", "sm"):
        if name in message:
            return str(message[name])
    return ""
