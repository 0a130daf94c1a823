"""The venue's view of a trading-stream connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca._codec import (
    MSGPACK_CONTENT_TYPE,
    Answer,
    WireEncoding,
    decode,
    encode,
)
from virtufin_examples.venues.alpaca._endpoints import TRADE_UPDATES, Endpoint
from virtufin_examples.venues.alpaca.server._gate import Credentials, Gate, credentials_of
from virtufin_examples.venues.alpaca.server._outcome import CLOSE_POLICY, Entry, Outcome


class TradingServer:
    """One client of `/stream`, with the same methods as `MarketServer`.

    JSON goes out in binary frames, as from Alpaca's paper endpoint. Refused keys leave the socket open
    until the authentication's time is up.
    """

    def __init__(self, endpoint: Endpoint, gate: Gate, headers: Mapping[str, str]) -> None:
        content_type = {name.lower(): value for name, value in headers.items()}.get("content-type", "")
        self._endpoint = endpoint
        self._gate = gate
        self._header_credentials = credentials_of(headers)
        self._credentials: Credentials | None = None
        msgpack = MSGPACK_CONTENT_TYPE in content_type.lower()
        self._encoding = WireEncoding.MSGPACK if msgpack else WireEncoding.JSON
        self._auth_deadline = 0.0
        self._streams: tuple[str, ...] = ()

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
        """The streams listened to, each for all symbols."""
        return frozenset((name, "*") for name in self._streams)

    def wants(self, channel: str, symbols: Iterable[str]) -> bool:  # noqa: ARG002 - one signature for both servers
        """Whether the client listens to a stream."""
        return channel in self._streams

    def opened(self, now: float) -> Outcome:
        """This stream does not greet; credentials in the headers are taken silently."""
        self._auth_deadline = now + self._gate.limits.auth_seconds
        if self._header_credentials is None:
            return Outcome()
        return self._authenticate(self._header_credentials)

    def received(self, payload: bytes, *, binary: bool) -> Outcome:  # noqa: ARG002 - one signature for both servers
        """Answer a client's message; what is neither authentication nor listen gets no answer."""
        try:
            message = decode(payload)
        except InvalidInputError:
            return Outcome(close=CLOSE_POLICY)
        if not isinstance(message, dict):
            return Outcome(close=CLOSE_POLICY)
        data = message.get("data")
        fields = data if isinstance(data, dict) else {}
        match message.get("action"):
            case "auth":
                credentials = Credentials(str(message.get("key")), str(message.get("secret")))
                return self._authenticate(credentials)
            case "authenticate":
                return self._authenticate(
                    Credentials(str(fields.get("key_id")), str(fields.get("secret_key")))
                )
            case "listen":
                return self._listen(fields.get("streams"))
            case _:
                return Outcome()

    def withhold(self, entries: Iterable[Entry]) -> None:
        """Undo a listen that was confirmed: the confirmation was a lie. Asking again ends it."""
        lies = {stream for stream, _ in entries}
        self._streams = tuple(name for name in self._streams if name not in lies)

    def tick(self, now: float) -> Outcome:
        """Cut a client that has not authenticated in time."""
        if self.authenticated or now < self._auth_deadline:
            return Outcome()
        return Outcome(close=CLOSE_POLICY)

    def overrun(self) -> Outcome:
        """Cut a client that reads too slowly."""
        return Outcome(close=CLOSE_POLICY)

    def closed(self) -> None:
        """Give the connection back to the account."""
        if self._credentials is not None:
            self._gate.leave(self._endpoint.path, self._credentials)
            self._credentials = None

    def data(self, encoded: Sequence[bytes]) -> list[Answer]:
        """One message a frame: this stream has no arrays."""
        return [Answer(message, binary=True) for message in encoded]

    def _authenticate(self, credentials: Credentials) -> Outcome:
        refused = not self.authenticated and self._gate.enter(self._endpoint.path, credentials)
        if refused:
            return Outcome((self._authorization("unauthorized", "authenticate"),))
        self._credentials = self._credentials or credentials
        return Outcome((self._authorization("authorized", "authenticate"),))

    def _listen(self, streams: object) -> Outcome:
        if not self.authenticated:
            return Outcome((self._authorization("unauthorized", "listen"),))
        before = self._streams
        names = streams if isinstance(streams, list) else []
        self._streams = (TRADE_UPDATES,) if TRADE_UPDATES in names else ()
        answer = self._answer({"stream": "listening", "data": {"streams": list(self._streams)}})
        return Outcome((answer,), added=tuple((name, "*") for name in self._streams if name not in before))

    def _authorization(self, status: str, action: str) -> Answer:
        return self._answer({"stream": "authorization", "data": {"status": status, "action": action}})

    def _answer(self, message: object) -> Answer:
        return Answer(encode(message, self._encoding), binary=True)
