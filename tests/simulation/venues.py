"""Alpaca and Binance on the in-memory network: their sans-I/O servers, a market, faults, and the account."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace

import msgspec

from tests.simulation.plan import Kind
from virtufin_examples.audit import Entry
from virtufin_examples.connections import SocketConnectError, UpgradeRefusedError
from virtufin_examples.simulators import Fault, FaultKind, FaultLine, Faults
from virtufin_examples.simulators._exchange import Client as ExchangeClient
from virtufin_examples.simulators._exchange import Exchange
from virtufin_examples.venues import binance
from virtufin_examples.venues.alpaca import ALGO_TRADER_PLUS, endpoint_of
from virtufin_examples.venues.alpaca.server import Gate, server_for
from virtufin_examples.venues.binance.server import StreamServer

_SOCKETS = {FaultKind.DROP, FaultKind.STALL, FaultKind.HALF_OPEN, FaultKind.SLOW}
_LEAVE_SECONDS = 20.0  # from the announcement to the close: Binance gives ten minutes
_GARBAGE = b'{"garbage'


@dataclass(eq=False)
class Out:
    """What is to be written: a data frame with its entry in the account, or something else."""

    payload: bytes
    binary: bool = False
    entry: Entry | None = None


class Client:
    """One socket at the venue."""

    def __init__(self, venue, peer, server) -> None:
        self.peer = peer
        self.server = server
        self.is_gone = False
        self.close_at = None
        self.lied_ns = 0
        self._venue = venue
        self._line = FaultLine(venue.faults, lambda: Out(_GARBAGE))
        self._socket = venue.account.opened(venue.clock.now_ns())
        self._flight: deque[Out] = deque()
        self.reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        while True:
            payload, binary = await self.peer.receive()
            if not self.is_gone and not self._line.deaf:
                self._venue.message(self, payload, binary)

    def answer(self, outs) -> None:
        self._write(self._line.control(outs, self._venue.now()))

    def offer(self, frames, *, symbol="") -> None:
        """Offer data frames, given as lane, payload and whether it is binary."""
        if self.is_gone:
            return
        venue = self._venue
        now_ns = venue.clock.now_ns()
        outs = [
            Out(
                payload,
                binary,
                venue.account.offered(self._socket, payload, now_ns, lane=lane, symbol=symbol),
            )
            for lane, payload, binary in frames
        ]
        self._write(self._line.data(outs, venue.now()))

    def strike(self, fault) -> None:
        self._line.strike(fault, self._venue.now())
        if fault.kind is FaultKind.DROP:
            self.cut()
        elif fault.kind is FaultKind.HALF_OPEN:
            self.peer.is_half_open = True

    def violate(self) -> None:
        """Send text that is no text; what breaks the protocol is closed by the other side."""
        if not self.is_gone and not self._line.deaf:
            self.peer.send_frame(1, b"\xff\xfe")

    def look(self) -> None:
        """Send what was delayed; notice a socket that the client has closed, or that is to be closed."""
        now = self._venue.now()
        self._write(self._line.late(now))
        if self._line.is_over(now):
            self.cut()
        elif self.peer.closed is not None:
            self.gone()
        elif self.close_at is not None and now >= self.close_at:
            self.close(1001)

    def cut(self) -> None:
        """Break the link; what is on its way is lost."""
        self._flight.clear()
        self.peer.cut()
        self.gone()

    def close(self, code) -> None:
        if not self.is_gone:
            while self._flight:
                self._arrive()
            self.peer.close(code)
            self.gone()

    def ping(self, payload) -> None:
        """A client answers a ping at once; one that cannot hear it does not."""
        if not self._line.deaf:
            self._venue.ponged(self, payload)

    def gone(self) -> None:
        if not self.is_gone:
            self.is_gone = True
            now_ns = self._venue.clock.now_ns()
            self._venue.account.closed(self._socket, now_ns)
            if self.lied_ns and not self._venue.subscribed(self):  # nothing could come by this socket
                self._venue.account.outage(Kind.LIE, self.lied_ns, now_ns)
            self.reading.cancel()
            self._venue.left(self)

    def _write(self, outs) -> None:
        account = self._venue.account
        for out in outs:
            if self.is_gone or self.peer.closed is not None:
                return
            self._flight.append(out)
            if self._venue.latency:
                asyncio.get_running_loop().call_later(self._venue.latency, self._arrive)
            else:
                self._arrive()
            if out.entry is None:
                account.other(out.payload)
            else:
                account.sent(out.entry, self._venue.clock.now_ns())

    def _arrive(self) -> None:
        if self._flight:
            out = self._flight.popleft()
            self.peer.send_frame(2 if out.binary else 1, out.payload)


class Venue:
    """What both venues share: sockets that come, faults that strike, a tick of the market."""

    def __init__(self, clock, rng, server, account, rate) -> None:
        self.clock = clock
        self.rng = rng
        self.account = account
        self.faults = Faults()
        self.extra = dict.fromkeys((Kind.VIOLATION, Kind.LEAVE), 0)
        self.is_paused = False
        self.clients: list[Client] = []
        self.latency = rng.choice((0.0, 0.0, 0.02, 0.08))
        self._rate = rate
        self._server = server
        self._refused_until = 0.0
        self._server.gate = self._admit
        self._tasks = [asyncio.ensure_future(each) for each in (self._accept(), self._run())]

    def now(self) -> float:
        return self.clock.monotonic()

    @property
    def sent_frames(self) -> int:
        return sum(entry.copies for entry in self.account.entries)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for client in list(self.clients):
            client.gone()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def strike(self, planned) -> None:
        """Begin a fault, and tell the account how long it keeps frames away."""
        now_ns = self.clock.now_ns()
        until_ns = now_ns + round((planned.seconds + planned.delay) * 1e9)
        struck = self._struck(planned)
        if planned.kind is Kind.VIOLATION:
            self.account.outage(planned.kind, now_ns, now_ns)
            for client in struck[:1]:
                self.extra[planned.kind] += 1
                client.violate()
            return
        if planned.kind is Kind.LEAVE:
            for client in struck:
                self.extra[planned.kind] += 1
                self.leave(client)
            return
        kind = FaultKind(planned.kind.value)
        fault = Fault(
            kind,
            seconds=planned.seconds,
            delay=planned.delay,
            status=planned.status,
            count=planned.count,
        )
        self.faults.begin((fault,), self.now())
        self.faults.due(self.now())
        lasts = kind in {FaultKind.STALL, FaultKind.HALF_OPEN, FaultKind.REFUSE, FaultKind.SLOW}
        for _ in range(planned.count if kind in {FaultKind.SKIP, FaultKind.GARBAGE} else 1):
            self.account.outage(planned.kind, now_ns, until_ns if lasts else now_ns)
        for client in list(struck):
            if kind in _SOCKETS:
                client.strike(fault)
        if kind in {FaultKind.REFUSE, FaultKind.LIE}:  # felt by a socket that opens
            self.account.outage(Kind.DROP, now_ns, now_ns)
            self.faults.happened[FaultKind.DROP] += 1
            for client in list(self.clients):
                client.cut()

    def _struck(self, planned):
        return [each for each in self.clients if planned.everybody or self.rng.random() < 0.5]

    # --- sockets ---

    def _admit(self):
        for client in list(self.clients):  # a socket that was closed is forgotten at once
            client.look()
        refused = self.faults.refusal(self.now())
        if refused:
            now_ns = self.clock.now_ns()
            after = 1 if refused == 429 else 0
            self.account.outage(Kind.REFUSE, now_ns, now_ns + after * 1_000_000_000)
            if refused == 502:
                return SocketConnectError("refused")
            return UpgradeRefusedError(refused, {"retry-after": str(after)})
        return None

    async def _accept(self) -> None:
        while True:
            peer = await self._server.accept()
            client = Client(self, peer, self.new_server(peer))
            self.clients.append(client)
            self.opened(client)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self.rng.uniform(0.02, 0.2))
            for client in list(self.clients):
                client.look()
            self.tick()

    def left(self, client) -> None:
        self.clients.remove(client)


BINANCE_URL = "wss://stream.binance.com:9443/stream"
BINANCE_SYMBOLS = tuple(f"{name}USDT" for name in ("BTC", "ETH", "SOL", "XRP", "BNB", "ADA", "DOGE", "TRX"))


class Ticks:
    """Depth diffs and trades in Binance's form: their numbers are true, their prices mean nothing."""

    def __init__(self, rng, rate) -> None:
        self._rng = rng
        self._rate = rate
        self._streams: list[str] = []
        self._numbers: dict[str, int] = {}
        self._due = 0.0
        self._at = 0.0

    def follow(self, streams) -> None:
        self._streams = sorted(streams)

    def due(self, now, now_ms):
        self._due += (now - self._at) * self._rate
        self._at = now
        count, self._due = int(self._due), self._due % 1
        return [
            self._event(stream, now_ms)
            for stream in self._rng.choices(self._streams or [""], k=count)
            if stream
        ]

    def _event(self, stream, now_ms):
        name, _, channel = stream.partition("@")
        first = self._numbers.get(stream, 1000) + 1
        event = {"e": channel, "E": now_ms, "s": name.upper()}
        price = f"{self._rng.randrange(10_000)}.00"
        if channel == "trade":
            self._numbers[stream] = first
            event |= {"t": first, "p": price, "q": "1.0", "T": now_ms}
        else:
            last = self._numbers[stream] = first + self._rng.randrange(5)
            event |= {"e": "depthUpdate", "U": first, "u": last, "b": [[price, "1.0"]]}
        return stream, msgspec.json.encode(event)


class BinanceVenue(Venue):
    """Depth diffs, whose numbers have no hole, and trades."""

    def __init__(self, clock, rng, server, account, rate) -> None:
        self._source = Ticks(rng, rate)
        self._endpoint = binance.endpoint_of(BINANCE_URL)
        super().__init__(clock, rng, server, account, rate)

    def new_server(self, peer):
        return StreamServer(self._endpoint, binance.LIMITS[binance.Market.SPOT])

    def opened(self, client) -> None:
        self._carry_out(client, client.server.opened(self.now()))

    def message(self, client, payload, binary) -> None:
        outcome = client.server.received(payload, self.now(), binary=binary)
        if outcome.added and self.faults.take(FaultKind.LIE):
            client.server.withhold(outcome.added)
            client.lied_ns = client.lied_ns or self.clock.now_ns()
            outcome = replace(outcome, added=())
        self._carry_out(client, outcome)
        self._follow()

    def subscribed(self, client):
        return client.server.streams

    def ponged(self, client, payload) -> None:
        self._carry_out(client, client.server.ponged(payload, self.now()))

    def left(self, client) -> None:
        super().left(client)
        self._follow()

    def leave(self, client) -> None:
        self._carry_out(client, client.server.shutdown(self.clock.now_ns() // 1_000_000))
        client.close_at = self.now() + _LEAVE_SECONDS

    def tick(self) -> None:
        for client in list(self.clients):
            self._carry_out(client, client.server.tick(self.now()))
        events = self._source.due(self.now(), self.clock.now_ns() // 1_000_000)
        for stream, event in events if not self.is_paused else ():
            symbol = stream.partition("@")[0].upper()
            for client in self.rng.sample(self.clients, len(self.clients)):
                if client.server.wants(stream):
                    client.offer([(stream, client.server.frame(stream, event), False)], symbol=symbol)

    def _follow(self) -> None:
        self._source.follow(
            {name for each in self.clients for name in each.server.streams if each.server.wants(name)}
        )

    def _carry_out(self, client, outcome) -> None:
        client.answer([Out(answer) for answer in outcome.answers])
        if outcome.ping:
            client.ping(outcome.ping)
        if outcome.close:
            client.close(outcome.close)


ALPACA_PATH = "v1beta3/crypto/us"
ALPACA_URL = f"wss://stream.data.alpaca.markets/{ALPACA_PATH}"
STALE_SESSION_NS = 91_000_000_000
ALPACA_SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD")


class AlpacaVenue(Venue):
    """Trades, quotes and books of crypto: no numbers, one socket an account."""

    def __init__(self, clock, rng, server, account, rate) -> None:
        self._endpoint = endpoint_of(ALPACA_PATH)
        self._gate = Gate(lambda given: (given.key, given.secret) == ("K", "S"), ALGO_TRADER_PLUS)
        self._exchange = Exchange(self._endpoint, rng.randrange(1 << 30))
        self._due = 0.0
        self._at = clock.monotonic()
        self._by_client: dict[ExchangeClient, Client] = {}
        super().__init__(clock, rng, server, account, rate)

    def new_server(self, peer):
        return ExchangeClient(server_for(self._endpoint, self._gate, peer.request_headers))

    def opened(self, client) -> None:
        self._by_client[client.server] = client
        self._exchange.join(client.server)
        self._carry_out(client, client.server.server.opened(self.now()))

    def message(self, client, payload, binary) -> None:
        server = client.server.server
        outcome = server.received(payload, binary=binary)
        if outcome.added and self.faults.take(FaultKind.LIE):
            server.withhold(outcome.added)
            client.lied_ns = client.lied_ns or self.clock.now_ns()
            outcome = replace(outcome, added=())
        self._carry_out(client, outcome)
        self._exchange.resubscribed()
        if outcome.added and not client.is_gone:
            now_ns = self.clock.now_ns()
            self._send(
                self._exchange.first(client.server, outcome.added, now_ns, generate=not self.is_paused)
            )

    def subscribed(self, client):
        return client.server.server.entries()

    def left(self, client) -> None:
        super().left(client)
        client.server.server.closed()
        del self._by_client[client.server]
        self._exchange.leave(client.server)

    def tick(self) -> None:
        for client in list(self.clients):
            if not client.server.server.authenticated:
                self._carry_out(client, client.server.server.tick(self.now()))
        self._due += (self.now() - self._at) * self._rate
        self._at = self.now()
        count, self._due = int(self._due), self._due % 1
        if not self.is_paused:
            for _ in range(count):  # one message a frame
                self._send(self._exchange.advance(1, self.clock.now_ns()))

    def _send(self, deliveries) -> None:
        for receiver, answers in deliveries:
            client = self._by_client.get(receiver)
            if client is not None:
                client.offer([(ALPACA_PATH, answer.payload, answer.binary) for answer in answers])

    def _carry_out(self, client, outcome) -> None:
        client.answer([Out(answer.payload, answer.binary) for answer in outcome.answers])
        if any(b'"code":406' in answer.payload for answer in outcome.answers):
            now_ns = self.clock.now_ns()  # a session that the venue counts still: it asks for patience
            self.account.outage("406", now_ns, now_ns + STALE_SESSION_NS)
        if outcome.close:
            client.close(outcome.close)
