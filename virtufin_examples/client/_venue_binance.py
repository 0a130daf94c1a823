"""Binance's market data streams, as opening a feed sees them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from virtufin_examples.client._venue_port import Change, Credentials, VenueMessage
from virtufin_examples.errors import InvalidInputError, UnavailableError
from virtufin_examples.venues import Acknowledged, Disposition, Refused, Session, Verdict
from virtufin_examples.venues.binance import (
    BinanceConnector,
    BinanceSession,
    check_channel,
    endpoint_of,
    snapshot_url,
    stream_name,
    symbols_url,
)

if TYPE_CHECKING:
    from virtufin_examples.venues import VenueLimits

_SYMBOL = re.compile(r"[A-Z0-9_]{2,32}")


class _Symbol(msgspec.Struct, frozen=True):
    symbol: str


class _ExchangeInfo(msgspec.Struct, frozen=True):
    symbols: tuple[_Symbol, ...]


class BinanceVenue:
    """The worker writes the messages: its subscribe and unsubscribe commands are Binance's."""

    name = "binance"
    title = "Binance"
    needs_keys = False

    def __init__(self) -> None:
        self._connector = BinanceConnector()

    def claims(self, url: str) -> bool:
        """Whether the host is one of Binance's."""
        return self._connector.claims(url)

    def check(self, url: str, channel: str, options: Mapping[str, str]) -> None:
        """Check path, channel and options."""
        self._connector.session(url, options)
        check_channel(channel, endpoint_of(url).market)

    def check_symbol(self, symbol: str) -> None:
        """Binance writes symbols in upper case and without a stroke, such as BTCUSDT."""
        if _SYMBOL.fullmatch(symbol):
            return
        meant = re.sub(r"[^A-Z0-9_]", "", symbol.upper())
        hint = f'did you mean "{meant}"?' if _SYMBOL.fullmatch(meant) else 'such as "BTCUSDT"'
        raise InvalidInputError("not a symbol of Binance", hint=hint)

    def limits(self, url: str, options: Mapping[str, str]) -> VenueLimits:
        """1,024 streams a socket."""
        return self._connector.limits(url, options)

    def symbols_url(self, url: str, symbols: Sequence[str]) -> str:
        """The exchange's information; of a host that is not Binance's on the same port."""
        return symbols_url(url, symbols, rest=self._rest(url))

    def book_url(self, url: str, symbol: str) -> str:
        """The snapshot of 100 levels a side: the weight of one more request."""
        return snapshot_url(url, symbol, limit=100, rest=self._rest(url))

    def _rest(self, url: str) -> str:
        """The base of a host that is not Binance's."""
        parts = urlsplit(url)
        scheme = "https" if parts.scheme == "wss" else "http"
        return "" if self.claims(url) else f"{scheme}://{parts.netloc}"

    def read_symbols(self, body: bytes) -> frozenset[str]:
        """Read the exchange's information."""
        try:
            found = msgspec.json.decode(body, type=_ExchangeInfo)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UnavailableError(f"exchangeInfo cannot be read: {error}") from None
        return frozenset(item.symbol for item in found.symbols)

    def login(self, credentials: Credentials) -> tuple[VenueMessage, ...]:  # noqa: ARG002 - the port's signature
        """Nothing: market data are public."""
        return ()

    def change(self, change: Change, channel: str, symbols: Sequence[str]) -> VenueMessage:
        """Return what the worker is to write."""
        streams = tuple(stream_name(symbol, channel) for symbol in symbols)
        return VenueMessage(f"{change} streams", command=change, params=streams)

    def session(self, url: str, options: Mapping[str, str]) -> Session:
        """Return a reader that counts answers: the worker's ids are its own."""
        return _Answers(self._connector.session(url, options))


class _Answers(Session):
    """Every message has one answer, whichever its id; the connector's own are told by what they ask."""

    def __init__(self, connector: BinanceSession) -> None:
        super().__init__(connector.url, connector.options)
        self._connector = connector
        self._open = 0

    def sent(self, payload: bytes, *, binary: bool, lasting: bool = True) -> None:  # noqa: ARG002 - the port's
        """Expect an answer."""
        self._open += 1

    def expects(self) -> int:
        """Answers outstanding."""
        return self._open

    def is_control(self, payload: bytes) -> bool:
        """Tell as the connector does."""
        return self._connector.is_control(payload)

    def received(self, payload: bytes, *, binary: bool) -> Verdict | None:  # noqa: ARG002 - the port's signature
        """Read an answer; None for data, and for the connector's list."""
        if not self.is_control(payload):
            return None
        answer = msgspec.json.decode(payload)
        if not isinstance(answer, dict) or answer.get("result") is not None:
            return None
        error = answer.get("error", answer if "code" in answer else None)
        if isinstance(error, dict):
            return Refused(int(error.get("code", 0)), str(error.get("msg", "")), Disposition.NOTE)
        if "result" in answer:
            self._open = max(0, self._open - 1)
            return Acknowledged()
        return None
