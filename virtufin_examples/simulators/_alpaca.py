"""Alpaca's streams on a local socket, with made-up data."""

from __future__ import annotations

import time
from collections import deque
from urllib.parse import urlsplit

from picows import WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener

from virtufin_examples.errors import InvalidInputError, NotFoundError
from virtufin_examples.simulated import SIMULATED_HEADER, SIMULATED_KEY, SIMULATED_SECRET
from virtufin_examples.simulators._connection import Connection
from virtufin_examples.simulators._control import Request, Route
from virtufin_examples.simulators._exchange import Client, Exchange
from virtufin_examples.simulators._history import History, rest_stream
from virtufin_examples.simulators._http_answer import json_answer
from virtufin_examples.simulators._pacer import Pacer
from virtufin_examples.simulators._venue_server import VenueServer
from virtufin_examples.venues.alpaca import (
    ALGO_TRADER_PLUS,
    Answer,
    Limits,
    WireEncoding,
    encode,
    endpoint_of,
    find_endpoint,
)
from virtufin_examples.venues.alpaca.server import Gate, Outcome, server_for

_MINUTE_SECONDS = 60.0
_DEFAULT_BOOK_PATH = "v1beta3/crypto/us"


class AlpacaSimulator(VenueServer[Connection]):
    """Serves every stream endpoint of Alpaca, and the short paths that its SDKs use with a stand-in.

    `rate` is messages a second over all endpoints that have subscribers (0: whole books only); port 0
    takes a free one. Times on the wire are this machine's clock. `max_buffered_bytes` is what a client
    may leave unread before it is cut with 407. With `faults_seed` things go wrong at random from the start.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        control_port: int = 0,
        seed: int = 1,
        rate: float = 100.0,
        key: str = SIMULATED_KEY,
        secret: str = SIMULATED_SECRET,
        limits: Limits = ALGO_TRADER_PLUS,
        rest_requests_a_minute: int = 200,
        max_buffered_bytes: int = 8 * 1024 * 1024,
        faults_seed: int | None = None,
    ) -> None:
        if rate < 0:
            raise InvalidInputError(f"rate: {rate} messages a second", hint="give 0 or more")
        super().__init__(
            host,
            port,
            control_port=control_port,
            routes=(
                Route("GET", "/control/books", self._book),
                Route("GET", "/control/state", self._state),
                Route("POST", "/control/pause", lambda _: self._pause(paused=True)),
                Route("POST", "/control/resume", lambda _: self._pause(paused=False)),
            ),
            max_buffered_bytes=max_buffered_bytes,
            faults_seed=faults_seed,
            pings=True,
        )
        self._seed = seed
        self._rate = rate
        self._accepted = accepted = {(key, secret), ("oauth", secret), ("access_token", secret)}
        self._rest_times: deque[float] = deque(maxlen=rest_requests_a_minute)
        self._gate = Gate(lambda given: (given.key, given.secret) in accepted, limits)
        self._exchanges: dict[str, Exchange] = {}
        self._by_client: dict[Client, Connection] = {}
        self._paused = False
        self._pacer = Pacer(rate, 0.0)
        self._turn = 0

    def connected(self, connection: Connection) -> None:
        """Take a client in."""
        self.take_in(connection)
        self._by_client[connection.client] = connection
        connection.exchange.join(connection.client)

    def disconnected(self, connection: Connection) -> None:
        """Forget a client."""
        self.forget(connection)
        del self._by_client[connection.client]
        connection.exchange.leave(connection.client)

    def changed(self, connection: Connection, outcome: Outcome) -> None:
        """Send at once what a new subscription brings."""
        was_active = any(exchange.active for exchange in self._exchanges.values())
        connection.exchange.resubscribed()
        if not was_active:
            self._pacer.restart(self.now())
        if outcome.added:
            generate = self._rate > 0 and not self._paused
            self._send(
                connection.exchange.first(connection.client, outcome.added, time.time_ns(), generate=generate)
            )

    def upgrade(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        """Open a stream's socket, or answer over REST."""
        endpoint = find_endpoint(request.path.decode("latin-1"))
        headers = {SIMULATED_HEADER: "1"}
        answered = self._answer_rest(request)
        if answered is not None:
            return WSUpgradeResponseWithListener(answered, None)
        refused = self.faults.refusal(self.now())
        if refused:
            response = WSUpgradeResponse.create_error_response(refused, b"refused by the fault plan", headers)
            return WSUpgradeResponseWithListener(response, None)
        if endpoint is None:
            response = WSUpgradeResponse.create_error_response(404, b"no such stream", headers)
            return WSUpgradeResponseWithListener(response, None)
        exchange = self._exchanges.get(endpoint.path)
        if exchange is None:
            exchange = self._exchanges[endpoint.path] = Exchange(endpoint, self._seed)
        connection = Connection(self, exchange, server_for(endpoint, self._gate, dict(request.headers)))
        response = WSUpgradeResponse.create_101_response(headers)
        return WSUpgradeResponseWithListener(response, connection)

    def _answer_rest(self, request: WSUpgradeRequest) -> WSUpgradeResponse | None:
        """Answer the REST API's history of trades and bars, on the port of the streams."""
        target = urlsplit(request.path.decode("latin-1"))
        path = rest_stream(target.path, target.query)
        if path is None:
            return None
        given = {name.lower(): value for name, value in dict(request.headers).items()}
        if (given.get("apca-api-key-id"), given.get("apca-api-secret-key")) not in self._accepted:
            status, body, extra = 401, b'{"message":"forbidden."}', {}
        elif self._is_over_rest_limit():
            status, body, extra = 429, b'{"message":"too many requests."}', {"Retry-After": "1"}
        else:
            exchange = self._exchanges.get(path)
            history = exchange.history if exchange is not None else History()
            (status, body), extra = history.answer(target.path, target.query), {}
        return json_answer(status, body, {SIMULATED_HEADER: "1", **extra})

    def _is_over_rest_limit(self) -> bool:
        times, now = self._rest_times, self.now()
        if len(times) == times.maxlen and now - times[0] < _MINUTE_SECONDS:
            return True
        times.append(now)
        return False

    def tick(self) -> None:
        """Send what is due."""
        now = self.now()
        for connection in list(self._connections):
            if not connection.server.authenticated:
                connection.carry_out(connection.server.tick(now))
        active = [exchange for exchange in self._exchanges.values() if exchange.active]
        if not active or self._paused:
            return
        # Endpoints share the rate evenly; what does not divide goes round.
        each, rest = divmod(self._pacer.due(now), len(active))
        self._turn += rest
        now_ns = time.time_ns()
        for index, exchange in enumerate(active):
            extra = (self._turn - index) % len(active) < rest
            self._send(exchange.advance(each + extra, now_ns))

    def _send(self, deliveries: list[tuple[Client, list[Answer]]]) -> None:
        for client, answers in deliveries:
            connection = self._by_client.get(client)
            if connection is not None:
                connection.send(answers)

    def _book(self, request: Request) -> bytes:
        endpoint = endpoint_of(request.query.get("path", _DEFAULT_BOOK_PATH))
        exchange = self._exchanges.get(endpoint.path)
        symbol = request.query.get("symbol", "")
        if exchange is None or symbol not in exchange.market.books():
            known = ", ".join(exchange.market.books()) if exchange is not None else ""
            raise NotFoundError(f'symbol: "{symbol}" has no book at /{endpoint.path}', hint=f"books: {known}")
        return encode(exchange.market.snapshot(symbol, time.time_ns()), WireEncoding.JSON)

    def _state(self, request: Request) -> object:  # noqa: ARG002 - one signature for all routes
        connections = [
            {
                "path": connection.server.endpoint.path,
                "authenticated": connection.server.authenticated,
                "encoding": connection.server.encoding.value,
                "subscriptions": _by_channel(connection),
                "sent_frames": connection.sent_frames,
                "sent_messages": connection.client.sent_messages,
            }
            for connection in self._connections
        ]
        return {"paused": self._paused, "rate": self._rate, "seed": self._seed, "connections": connections}

    def _pause(self, *, paused: bool) -> object:
        self._paused = paused
        self._pacer.restart(self.now())
        return {"paused": paused}


def _by_channel(connection: Connection) -> dict[str, list[str]]:
    channels: dict[str, list[str]] = {}
    for channel, symbol in sorted(connection.server.entries()):
        channels.setdefault(channel, []).append(symbol)
    return channels
