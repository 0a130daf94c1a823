"""Binance's streams and snapshots on a local socket, made up or played again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import msgspec
from picows import WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.simulated import SIMULATED_HEADER
from virtufin_examples.simulators._binance_connection import BinanceConnection
from virtufin_examples.simulators._binance_recording import BinanceRecording
from virtufin_examples.simulators._binance_source import GeneratedSource, RecordedSource, Source
from virtufin_examples.simulators._control import Request, Route
from virtufin_examples.simulators._http_answer import json_answer
from virtufin_examples.simulators._venue_server import VenueServer
from virtufin_examples.venues.binance import LIMITS, Limits, Market, find_endpoint
from virtufin_examples.venues.binance.server import (
    Bans,
    ConnectGate,
    Refusal,
    RestAnswer,
    RestServer,
    StreamServer,
    WeightGate,
)

_ADDRESS = "127.0.0.1"  # all clients are of this machine; limits count them together
_MARKETS = (Market.SPOT, Market.USD_M)
_MOST_SECONDS = 1e9


class BinanceSimulator(VenueServer[BinanceConnection]):
    """Serves spot on `/ws` and `/stream`, USD-M futures on `/public/...` and `/market/...`.

    On the same port are `depth` and `exchangeInfo` below `/api/v3` and `/fapi/v1`.

    `rate` is events a second of each market; with `recording` the events are those recorded, of spot, and
    `speed` how much faster they come (0: at once). Times on the wire are this machine's clock. The clock of
    limits, pings and the 24 hours can be put forward over the control endpoint.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        control_port: int = 0,
        seed: int = 1,
        rate: float = 100.0,
        recording: BinanceRecording | None = None,
        speed: float = 1.0,
        limits: Mapping[Market, Limits] = LIMITS,
        max_buffered_bytes: int = 8 * 1024 * 1024,
        faults_seed: int | None = None,
    ) -> None:
        if rate < 0 or speed < 0:
            raise InvalidInputError(f"rate: {rate}, speed: {speed}", hint="give 0 or more")
        super().__init__(
            host,
            port,
            control_port=control_port,
            routes=(
                Route("GET", "/control/state", self._state),
                Route("POST", "/control/pause", lambda _: self._pause(paused=True)),
                Route("POST", "/control/resume", lambda _: self._pause(paused=False)),
                Route("POST", "/control/shutdown", self._shutdown),
                Route("POST", "/control/clock", self._put_clock_forward),
                Route("POST", "/control/ban", self._ban),
                Route("POST", "/control/unban", self._unban),
            ),
            max_buffered_bytes=max_buffered_bytes,
            faults_seed=faults_seed,
            pings=False,
        )
        self._seed = seed
        self._rate = rate
        self._limits = limits
        self._bans = Bans()
        self._clock_offset = 0.0
        self._put_forward = 0.0
        self._sources: dict[Market, Source] = {
            market: GeneratedSource(market, seed, rate) for market in _MARKETS
        }
        if recording is not None:
            self._sources[Market.SPOT] = RecordedSource(recording, speed)
        self._connect_gates = {market: ConnectGate(limits[market], self._bans) for market in _MARKETS}
        self._rest = {
            market: RestServer(
                market, limits[market], WeightGate(limits[market], self._bans), self._sources[market].snapshot
            )
            for market in _MARKETS
        }
        self._paused = False

    async def start(self) -> str:
        """Listen; see `VenueServer.start`."""
        self._clock_offset = time.time() - self.now()
        return await super().start()

    def venue_now(self) -> float:
        """Unix seconds by the venue's clock, which can be put forward."""
        return self.now() + self._clock_offset + self._put_forward

    # --- clients ---

    def connected(self, connection: BinanceConnection) -> None:
        """Take a client in."""
        self.take_in(connection)

    def disconnected(self, connection: BinanceConnection) -> None:
        """Forget a client."""
        self.forget(connection)
        self.changed(())

    def changed(self, added: tuple[str, ...]) -> None:
        """Follow what is wanted now, and send what is new at once."""
        for market, source in self._sources.items():
            served = [each for each in self._connections if each.server.endpoint.market is market]
            wanted = {name for each in served for name in each.server.streams if each.server.wants(name)}
            source.follow(wanted)
            for name in added if not self._paused else ():
                event = source.first(name, _now_ms()) if name in wanted else None
                if event is not None:
                    self._send(market, name, event)

    def upgrade(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        """Open a stream's socket, or answer over REST."""
        target = request.path.decode("latin-1")
        headers = {SIMULATED_HEADER: "1"}
        answered = self._answer_rest(target)
        if answered is not None:
            response = json_answer(answered.status, answered.body, {**answered.headers, **headers})
            return WSUpgradeResponseWithListener(response, None)
        refused = self.faults.refusal(self.now())
        endpoint = find_endpoint(target)
        if refused or endpoint is None:
            status, body = (refused, b"refused by the fault plan") if refused else (404, b"no such stream")
            response = WSUpgradeResponse.create_error_response(status, body, headers)
            return WSUpgradeResponseWithListener(response, None)
        limited = self._connect_gates[endpoint.market].enter(_ADDRESS, self.venue_now())
        if limited is not None:
            return WSUpgradeResponseWithListener(_refuse(limited, headers), None)
        server = StreamServer(endpoint, self._limits[endpoint.market])
        response = WSUpgradeResponse.create_101_response(headers)
        return WSUpgradeResponseWithListener(response, BinanceConnection(self, server))

    def _answer_rest(self, target: str) -> RestAnswer | None:
        parts = urlsplit(target)
        markets = {"/api/v3": Market.SPOT, "/fapi/v1": Market.USD_M}
        base, _, name = parts.path.rpartition("/")
        market = markets.get(base)
        if market is None:
            return None
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if name == "depth":
            return self._rest[market].depth(query, _ADDRESS, self.venue_now())
        if name == "exchangeInfo":
            symbols = self._symbols_asked_for(market, query.get("symbols", ""))
            if symbols is None:
                return RestAnswer(400, b'{"code":-1121,"msg":"Invalid symbol."}')
            return self._rest[market].exchange_info(symbols, _ADDRESS, self.venue_now())
        return RestAnswer(404, b'{"code":-1000,"msg":"not simulated"}')

    def _symbols_asked_for(self, market: Market, names: str) -> tuple[str, ...] | None:
        """All that are known, those that spot was asked for, or None when one of these is not traded."""
        source = self._sources[market]
        if not names or market is Market.USD_M:
            return source.symbols()
        try:
            asked = msgspec.json.decode(names, type=tuple[str, ...])
        except msgspec.DecodeError:
            return None
        return asked if all(map(source.trades, asked)) else None

    # --- the market ---

    def tick(self) -> None:
        """Send what is due."""
        venue_now = self.venue_now()
        for connection in list(self._connections):
            connection.carry_out(connection.server.tick(venue_now))
        if self._paused:
            return
        now, now_ms = self.now(), _now_ms()
        for market, source in self._sources.items():
            for stream, event in source.due(now, now_ms):
                self._send(market, stream, event)

    def _send(self, market: Market, stream: str, event: bytes) -> None:
        for connection in list(self._connections):
            if connection.server.endpoint.market is market:
                connection.send_event(stream, event)

    # --- control ---

    def _state(self, request: Request) -> object:  # noqa: ARG002 - one signature for all routes
        connections = [
            {
                "market": each.server.endpoint.market.value,
                "route": each.server.endpoint.route,
                "streams": list(each.server.streams),
                "sent_frames": each.sent_frames,
            }
            for each in self._connections
        ]
        return {"paused": self._paused, "rate": self._rate, "seed": self._seed, "connections": connections}

    def _pause(self, *, paused: bool) -> object:
        self._paused = paused
        for source in self._sources.values():
            source.restart(self.now())
        return {"paused": paused}

    def _shutdown(self, request: Request) -> object:  # noqa: ARG002 - one signature for all routes
        now_ms = _now_ms()
        for connection in self._connections:
            connection.carry_out(connection.server.shutdown(now_ms))
        return {"told": len(self._connections)}

    def _put_clock_forward(self, request: Request) -> object:
        self._put_forward += _seconds(request)
        return {"put_forward": self._put_forward}

    def _ban(self, request: Request) -> object:
        seconds = _seconds(request)
        self._bans.ban(_ADDRESS, self.venue_now(), seconds)
        return {"banned": seconds}

    def _unban(self, request: Request) -> object:  # noqa: ARG002 - one signature for all routes
        self._bans.lift()
        return {"banned": 0}


def _seconds(request: Request) -> float:
    text = request.query.get("seconds", "")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _MOST_SECONDS:
        raise InvalidInputError(f"seconds: {text!r}", hint="such as ?seconds=86400")
    return seconds


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _refuse(refusal: Refusal, headers: Mapping[str, str]) -> WSUpgradeResponse:
    fields = {"Retry-After": str(refusal.retry_after_seconds), **headers}
    response: WSUpgradeResponse = WSUpgradeResponse.create_error_response(
        refusal.status, b"too many connections", fields
    )
    return response
