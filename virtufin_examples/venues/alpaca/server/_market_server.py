"""The venue's view of a market-data connection, as a state machine without I/O or clock."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca._codec import (
    MSGPACK_CONTENT_TYPE,
    Answer,
    WireEncoding,
    decode,
    encode,
    join,
)
from virtufin_examples.venues.alpaca._codes import error_code
from virtufin_examples.venues.alpaca._endpoints import ANSWERED_CHANNELS, CHANNELS, FOLLOWERS, Endpoint, Kind
from virtufin_examples.venues.alpaca._messages import ErrorMessage, Success
from virtufin_examples.venues.alpaca.server._gate import Credentials, Gate, credentials_of
from virtufin_examples.venues.alpaca.server._outcome import CLOSE_INTERNAL, CLOSE_POLICY, Entry, Outcome

ALL = "*"
MAX_MESSAGES_IN_ARRAY = 100

_STOCK = re.compile(r"[A-Z][A-Z0-9]*([./-][A-Z0-9]+)*")
_SYMBOLS: dict[Kind, re.Pattern[str]] = {
    Kind.STOCKS: _STOCK,
    Kind.NEWS: _STOCK,
    Kind.CRYPTO: re.compile(r"[A-Z0-9]+/[A-Z0-9]+"),
    Kind.OPTIONS: re.compile(r"[A-Z][A-Z0-9]{0,5}\d{6}[CP]\d{8}"),  # OCC: root, date, side, strike
}


class MarketServer:
    """One client of a stock, crypto, option or news endpoint.

    The shell calls `opened` once, `received` for each message, `tick` from time to time, and `closed` at
    the end; `now` is seconds on any steady clock. Without a Content-Type header the first message of the
    client decides the encoding.
    """

    def __init__(self, endpoint: Endpoint, gate: Gate, headers: Mapping[str, str]) -> None:
        content_type = {name.lower(): value for name, value in headers.items()}.get("content-type", "")
        self._endpoint = endpoint
        self._gate = gate
        self._header_credentials = credentials_of(headers)
        self._credentials: Credentials | None = None
        self._encoding = WireEncoding.JSON
        if MSGPACK_CONTENT_TYPE in content_type.lower():
            self._encoding = WireEncoding.MSGPACK
        self._encoding_is_open = not content_type
        self._auth_deadline = 0.0
        self._symbols: dict[str, set[str]] = {
            channel: set() for channel in ANSWERED_CHANNELS[endpoint.kind] if channel not in FOLLOWERS
        }

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint that the client connected to."""
        return self._endpoint

    @property
    def encoding(self) -> WireEncoding:
        """How messages to this client are spelt."""
        return self._encoding

    @property
    def authenticated(self) -> bool:
        """Whether the client has come in."""
        return self._credentials is not None

    def entries(self) -> frozenset[Entry]:
        """The subscription as (channel, symbol) pairs, without the channels that follow `trades`."""
        return frozenset((channel, name) for channel, names in self._symbols.items() for name in names)

    def wants(self, channel: str, symbols: Iterable[str]) -> bool:
        """Whether a message of a channel about any of these symbols goes to this client."""
        wanted = self._symbols.get("trades" if channel in FOLLOWERS else channel, set())
        return ALL in wanted or any(symbol in wanted for symbol in symbols)

    def opened(self, now: float) -> Outcome:
        """Greet; with credentials in the upgrade's headers, authenticate at once."""
        self._auth_deadline = now + self._gate.limits.auth_seconds
        greeting = self._control(Success("connected"))
        if self._header_credentials is None:
            return Outcome((greeting,))
        outcome = self._authenticate(self._header_credentials)
        return Outcome((greeting, *outcome.answers), outcome.close)

    def received(self, payload: bytes, *, binary: bool) -> Outcome:
        """Answer a client's message."""
        if self._encoding_is_open:
            self._encoding_is_open = False
            self._encoding = WireEncoding.MSGPACK if binary else WireEncoding.JSON
        if self._endpoint.msgpack_only and self._encoding is WireEncoding.JSON:
            return self._refuse(412)
        try:
            message = decode(payload)
        except InvalidInputError:
            return self._refuse(400)
        if not isinstance(message, dict):
            return self._refuse(400)
        match message.get("action"):
            case "auth":
                return self._auth_message(message)
            case "subscribe" | "unsubscribe" as action:
                return self._change(message, subscribe=action == "subscribe")
            case _:
                return self._refuse(400 if self.authenticated else 401)

    def withhold(self, entries: Iterable[Entry]) -> None:
        """Undo a subscription that was confirmed: the confirmation was a lie. Asking again ends it."""
        for channel, symbol in entries:
            self._symbols[channel].discard(symbol)

    def tick(self, now: float) -> Outcome:
        """Cut a client that has not authenticated in time."""
        if self.authenticated or now < self._auth_deadline:
            return Outcome()
        return self._refuse(404)

    def overrun(self) -> Outcome:
        """Cut a client that reads too slowly."""
        return self._refuse(407)

    def closed(self) -> None:
        """Give the connection back to the account."""
        if self._credentials is not None:
            self._gate.leave(self._endpoint.path, self._credentials)
            self._credentials = None

    def data(self, encoded: Sequence[bytes]) -> list[Answer]:
        """Put encoded messages into arrays, never together with a control message."""
        binary = self._encoding is WireEncoding.MSGPACK
        return [
            Answer(join(encoded[start : start + MAX_MESSAGES_IN_ARRAY], self._encoding), binary)
            for start in range(0, len(encoded), MAX_MESSAGES_IN_ARRAY)
        ]

    def _auth_message(self, message: Mapping[str, object]) -> Outcome:
        if self.authenticated:
            return self._refuse(403)
        key, secret = message.get("key"), message.get("secret")
        if not isinstance(key, str) or not isinstance(secret, str):
            return self._refuse(400)
        return self._authenticate(Credentials(key, secret))

    def _authenticate(self, credentials: Credentials) -> Outcome:
        code = self._gate.enter(self._endpoint.path, credentials)
        if code:
            return self._refuse(code)
        self._credentials = credentials
        return Outcome((self._control(Success("authenticated")),))

    def _change(self, message: Mapping[str, object], *, subscribe: bool) -> Outcome:
        if not self.authenticated:
            return self._refuse(401)
        changes = self._changes(message)
        if isinstance(changes, int):
            return self._refuse(changes)
        if not subscribe:
            for channel, names in changes.items():
                self._symbols[channel] -= names
            return Outcome((self._subscription(),))
        after = {channel: names | changes.get(channel, set()) for channel, names in self._symbols.items()}
        if self._exceeds(after):
            return self._refuse(405)
        added = tuple(
            (channel, name) for channel in after for name in sorted(after[channel] - self._symbols[channel])
        )
        self._symbols = after
        return Outcome((self._subscription(),), added=added)

    def _changes(self, message: Mapping[str, object]) -> dict[str, set[str]] | int:
        """The channels and symbols that a message names, or the code of its refusal."""
        changes: dict[str, set[str]] = {}
        for channel, symbols in message.items():
            if channel == "action":
                continue
            if channel not in self._symbols:
                return 410 if channel in CHANNELS | FOLLOWERS else 400
            if not isinstance(symbols, list) or not all(self._is_symbol(symbol) for symbol in symbols):
                return 400
            changes[channel] = {str(symbol) for symbol in symbols}
        if self._endpoint.kind is Kind.OPTIONS and ALL in changes.get("quotes", ()):
            return 413
        return changes

    def _is_symbol(self, symbol: object) -> bool:
        return isinstance(symbol, str) and (
            symbol == ALL or _SYMBOLS[self._endpoint.kind].fullmatch(symbol) is not None
        )

    def _exceeds(self, symbols: Mapping[str, set[str]]) -> bool:
        limits = self._gate.limits
        counted: dict[Kind, tuple[tuple[str, ...], int | None]] = {
            Kind.STOCKS: (("trades", "quotes"), limits.stock_symbols),
            Kind.CRYPTO: (("orderbooks",), limits.orderbook_symbols),
            Kind.OPTIONS: (("quotes",), limits.option_quotes),
        }
        channels, limit = counted.get(self._endpoint.kind, ((), None))
        if limit is None:
            return False
        return any(ALL in symbols[name] for name in channels) or (
            sum(len(symbols[name]) for name in channels) > limit
        )

    def _subscription(self) -> Answer:
        """The whole set of the endpoint; `imbalances` only where it is used."""
        fields: dict[str, object] = {"T": "subscription"}
        for channel in ANSWERED_CHANNELS[self._endpoint.kind]:
            names = sorted(self._symbols["trades" if channel in FOLLOWERS else channel])
            if names or channel != "imbalances":
                fields[channel] = names
        return self._control(fields)

    def _refuse(self, code: int) -> Outcome:
        entry = error_code(code)
        close = 0
        if entry.closes:
            close = CLOSE_INTERNAL if code == 500 else CLOSE_POLICY
        return Outcome((self._control(ErrorMessage(code, entry.message)),), close)

    def _control(self, message: object) -> Answer:
        binary = self._encoding is WireEncoding.MSGPACK
        return Answer(join([encode(message, self._encoding)], self._encoding), binary)
