"""What one endpoint's market has produced, as Alpaca's REST API tells it: trades and bars. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from urllib.parse import parse_qs

import msgspec

from virtufin_examples.simulators._market import Emitted
from virtufin_examples.venues.alpaca import Bar, CryptoTrade, Timestamp, Trade, WireEncoding, encode

_KEPT = 20_000  # of a symbol
_MAX_LIMIT = 10_000
_DEFAULT_LIMIT = 1000
_CHANNELS = frozenset({"trades", "bars"})
_CRYPTO = "v1beta3/crypto/"
_FEEDS = {"boats": "v1beta1/boats", "overnight": "v1beta1/overnight"}


def rest_stream(path: str, query: str) -> str | None:
    """Return the stream whose history a REST path is about; None for a path that is none of REST's."""
    base, _, channel = path.strip("/").rpartition("/")
    if channel not in _CHANNELS:
        return None
    if base == "v2/stocks":
        feed = parse_qs(query).get("feed", ["sip"])[-1]
        return _FEEDS.get(feed, f"v2/{feed}")
    return base if base.startswith(_CRYPTO) else None


class History:
    """The newest 20,000 trades and bars of each symbol."""

    def __init__(self) -> None:
        self._trades: dict[str, deque[Trade | CryptoTrade]] = {}
        self._bars: dict[str, dict[int, Bar]] = {}

    def record(self, messages: Iterable[Emitted]) -> None:
        """Keep what REST tells; of a bar's time the last bar."""
        for message in messages:
            if isinstance(message, Trade | CryptoTrade):
                self._trades.setdefault(message.S, deque(maxlen=_KEPT)).append(message)
            elif isinstance(message, Bar):
                bars = self._bars.setdefault(message.S, {})
                bars[message.t.ns] = message
                if len(bars) > _KEPT:
                    del bars[next(iter(bars))]

    def answer(self, path: str, query: str) -> tuple[int, bytes]:
        """Answer a GET with status and body: sorted by symbol, then by time; pages as Alpaca's."""
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        channel = path.rpartition("/")[2]
        try:
            start, end = (Timestamp.parse(asked[name]).ns for name in ("start", "end"))
            limit = int(asked.get("limit", _DEFAULT_LIMIT))
            offset = int(asked.get("page_token", "0"))
            symbols = sorted(asked["symbols"].split(","))
        except (KeyError, ValueError) as error:
            return 400, msgspec.json.encode({"message": f"invalid request: {error}"})
        if not 1 <= limit <= _MAX_LIMIT:
            return 400, b'{"message":"limit is out of range"}'
        items = [
            each for symbol in symbols for each in self._of(channel, symbol) if start <= each.t.ns <= end
        ]
        page = items[offset : offset + limit]
        found: dict[str, list[msgspec.Raw]] = {}
        for item in page:
            found.setdefault(item.S, []).append(msgspec.Raw(_as_rest(item)))
        following = offset + len(page)
        token = str(following) if following < len(items) else None
        return 200, msgspec.json.encode({channel: found, "next_page_token": token})

    def _of(self, channel: str, symbol: str) -> Iterable[Trade | CryptoTrade | Bar]:
        if channel == "trades":
            return tuple(self._trades.get(symbol, ()))
        return tuple(bar for _, bar in sorted(self._bars.get(symbol, {}).items()))


def _as_rest(message: Trade | CryptoTrade | Bar) -> bytes:
    """A message of the stream without its type and symbol."""
    fields = msgspec.json.decode(encode(message, WireEncoding.JSON), type=dict[str, msgspec.Raw])
    return msgspec.json.encode({name: value for name, value in fields.items() if name not in {"T", "S"}})
