"""One schedule: venue, network, connection, publisher, spool, bus, subscriber, auditor; all from one seed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog
from prometheus_client import CollectorRegistry

from tests.simulation.bus import SimulatedBus
from tests.simulation.plan import BUS, PROCESS, Kind, Mode, draw, is_burst, mode_of
from tests.simulation.venues import (
    ALPACA_SYMBOLS,
    ALPACA_URL,
    BINANCE_SYMBOLS,
    BINANCE_URL,
    AlpacaVenue,
    BinanceVenue,
)
from tests.simulation.virtual_loop import PROCESS as PROCESS_NAME
from tests.simulation.virtual_loop import LoopClock, VirtualLoop
from tests.websocketmanager.spooling import InlineExecutor
from virtufin_examples.audit import ALLOWANCE_NS, Auditor, AuditResult, VenueAccount
from virtufin_examples.connections import (
    ConnectorRegistry,
    HandshakeMessage,
    MemoryNetwork,
    Scopes,
    State,
)
from virtufin_examples.connections._backoff import CAP_SECONDS
from virtufin_examples.frames import (
    Encoding,
    Frame,
    Markers,
    Merger,
    Overflow,
    Silent,
    events_topic,
    read_message,
)
from virtufin_examples.venues.alpaca import AlpacaConnector
from virtufin_examples.venues.binance import BinanceConnector
from virtufin_examples.websocketmanager._hub import PublisherHub
from virtufin_examples.websocketmanager._index import ConnectionIndex
from virtufin_examples.websocketmanager._manager import ConnectionManager, ManagerEnvironment, OpenRequest
from virtufin_examples.websocketmanager._metrics import publish_latency
from virtufin_examples.websocketmanager._shard import Shard
from virtufin_examples.websocketmanager._source import PublishOptions
from virtufin_examples.websocketmanager.spool import Spool

FRAMES = 10_000
TOPIC = "simulated"
_MEMORY = "/dev/shm"  # where there is one, files need no disk
_WIRE_NS = 100_000_000  # the longest that anything is on its way
_MOST_SECONDS = 1500.0
_HEALED_SECONDS = 45.0
_LATENCY = publish_latency(CollectorRegistry())


@dataclass
class Outcome:
    """What came of a schedule."""

    seed: int
    mode: Mode
    digest: str = ""
    frames: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    audit: AuditResult | None = None
    problems: list[str] = field(default_factory=list)
    virtual_seconds: float = 0.0


class Subscriber:
    """Merges what the bus delivers, audits it and takes its digest."""

    def __init__(self, clock, allowance_ns) -> None:
        self.auditor = Auditor(slack_ns=_WIRE_NS, allowance_ns=allowance_ns)
        self.frames = 0
        self.instances: set[str] = set()
        self._clock = clock
        self._merger = Merger(TOPIC, now_ns=clock.now_ns())
        self._digest = hashlib.blake2b(digest_size=16)
        self._timer = None
        self._set_timer()

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    @property
    def numbers(self):
        return self._merger.numbers

    def deliver(self, topic, kind, content_type, data, extensions) -> None:
        if topic not in {TOPIC, events_topic(TOPIC)}:
            return
        message = read_message(TOPIC, kind, content_type, data, extensions)
        self._take(self._merger.add(message.items, now_ns=self._clock.now_ns(), instance=message.instance))
        self._set_timer()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self) -> None:
        self.close()
        due_ns = self._merger.deadline_ns()
        if due_ns is not None:
            seconds = max(0, due_ns - self._clock.now_ns()) / 1e9
            self._timer = asyncio.get_running_loop().call_later(seconds, self._time_passes)

    def _time_passes(self) -> None:
        self._timer = None
        self._take(self._merger.advance(self._clock.now_ns()))
        self._set_timer()

    def _take(self, items) -> None:
        for item in items:
            if isinstance(item, Frame):
                self.frames += 1
                head = (item.epoch, item.sequence, item.received_ns, int(item.flags))
                self._digest.update(repr(head).encode() + item.data)
            elif not isinstance(item, Silent):
                self._digest.update(repr(msgspec.structs.replace(item, connection_id="")).encode())
            self.auditor.received(item)


class Process:
    """A WebSocketManager: what of it dies with it."""

    def __init__(self, schedule, number) -> None:
        self.name = f"manager-{number}"
        clock, bus = schedule.clock, schedule.bus
        self.spool = Spool(
            schedule.folder,
            1 << 28,
            holder=self.name,
            instance=self.name,
            executor=InlineExecutor(),
        )
        hub = PublisherHub(
            bus=bus, clock=clock, instance=self.name, latency=_LATENCY.labels, spool=self.spool
        )
        environment = ManagerEnvironment(
            network=schedule.network,
            http=None,
            clock=clock,
            secrets=schedule,
            scopes=Scopes(),
            observer=schedule,
        )
        self.manager = ConnectionManager(
            environment,
            bus=bus,
            hub=hub,
            index=ConnectionIndex(bus, ""),
            connectors=ConnectorRegistry([BinanceConnector(), AlpacaConnector()]),
            instance_id=self.name,
            randomness=schedule.rng.random,
            shard=Shard(),
        )

    async def kill(self, loop) -> None:
        """What SIGKILL does: nothing more happens, files keep what was written, the lock is released."""
        await loop.kill(self.name)
        holding = self.spool._holding
        os.close(holding._lock)
        holding._lock = -1


class Schedule:
    """Runs on a virtual loop of its own."""

    def __init__(self, seed: int, *, frames: int = FRAMES) -> None:
        self.outcome = Outcome(seed, mode_of(seed))
        self.rng = random.Random(f"schedule/{seed}")
        self.events = []
        self._frames = frames

    async def entries(self, name):
        return {"key": "K", "secret": "S", "hosts": "stream.data.alpaca.markets"}

    def connection_changed(self, event) -> None:
        self.events.append(event)

    async def run(self) -> Outcome:
        self.loop = asyncio.get_running_loop()
        self.clock = LoopClock(self.loop)
        self.account = VenueAccount()
        self.network = MemoryNetwork(self.clock)
        allowance_ns = round(CAP_SECONDS * 1e9) if is_burst(self.outcome.seed) else ALLOWANCE_NS
        self.subscriber = Subscriber(self.clock, allowance_ns)
        mode, outcome = self.outcome.mode, self.outcome
        jitter = self.rng.choice((0.0, 0.02, 0.15))
        self.bus = SimulatedBus(self.clock, self.rng, self.subscriber.deliver, most_delay=jitter)
        alpaca = mode is Mode.ALPACA
        url = ALPACA_URL if alpaca else BINANCE_URL
        server = self.network.serve(url)
        rate = self.rng.uniform(40.0, 70.0)
        venue = (AlpacaVenue if alpaca else BinanceVenue)(self.clock, self.rng, server, self.account, rate)
        self.venue = venue
        self.folder = Path(
            tempfile.mkdtemp(prefix="simulation-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)
        )
        try:
            self._processes = 0
            self._process = await self._start()
            await self._in(self._process, self._open_feed(url))
            plan = draw(outcome.seed, mode)
            await self._carry_out(plan)
            while venue.sent_frames < self._frames and self.clock.monotonic() < _MOST_SECONDS:
                await asyncio.sleep(1.0)
            await self._heal()
            await self._end()
        finally:
            await venue.stop()
            self.subscriber.close()
            shutil.rmtree(self.folder, ignore_errors=True)
        return outcome

    async def _open_feed(self, url) -> None:
        mode = self.outcome.mode
        watch = {Mode.BINANCE: "every", Mode.BREAK: "every", Mode.RESTART: "every"}.get(mode, "sample")
        options = {"watch": watch} if mode is not Mode.TWO else {"redundancy": "2"}
        managed = await self._process.manager.open(OpenRequest(url=url, auto_reconnect=True, options=options))
        for message in _handshake(url):
            await managed.send(HandshakeMessage(message, secrets=True, json=True), replay=None)
            await asyncio.sleep(0.3)
        encoding = Encoding.FRAME if mode is Mode.SAMPLE else Encoding.BATCH
        markers = Markers.COMPANION if mode is Mode.SAMPLE else Markers.INLINE
        await self._process.manager.start_publish(
            managed.id, TOPIC, PublishOptions(encoding, Overflow.SPOOL, markers)
        )

    async def _carry_out(self, plan) -> None:
        for planned in plan:
            await asyncio.sleep(max(0.0, planned.at - self.clock.monotonic()))
            now_ns = self.clock.now_ns()
            if planned.kind in BUS:
                self.bus.strike(planned)
                if planned.kind is Kind.BUS_DOWN:  # without the state store no epoch can be taken
                    self.account.outage(planned.kind, now_ns, now_ns + round(planned.seconds * 1e9))
            elif planned.kind in PROCESS:
                await self._restart(planned)
            else:
                self.venue.strike(planned)

    async def _heal(self) -> None:
        """Without faults everything that waits comes out, and the connection is up."""
        await asyncio.sleep(_HEALED_SECONDS)
        self.venue.is_paused = True
        until = self.clock.monotonic() + 60.0
        while not self._is_drained() and self.clock.monotonic() < until:
            await asyncio.sleep(1.0)
        await asyncio.sleep(5.0)

    def _is_drained(self) -> bool:
        return not self.bus.is_down and all(
            publisher.queued_bytes == 0 for publisher in self._process.manager._hub.publishers
        )

    async def _end(self) -> None:
        outcome = self.outcome
        for managed in self._process.manager.all():
            if managed.connection.state is not State.CONNECTED:
                outcome.problems.append(f"in the end it is {managed.connection.state}")
        until_ns = self.clock.now_ns()
        await self._in(self._process, self._process.manager.stop())
        await asyncio.sleep(1.0)
        outcome.audit = self.subscriber.auditor.audit(self.account, until_ns=until_ns)
        outcome.problems += [str(finding) for finding in outcome.audit.findings[:10]]
        outcome.problems += self.loop.failures
        outcome.frames = self.venue.sent_frames
        outcome.digest = self.subscriber.digest
        outcome.virtual_seconds = self.clock.monotonic()
        outcome.faults.update({kind.value: n for kind, n in self.venue.faults.happened.items()})
        outcome.faults.update({kind.value: n for kind, n in self.venue.extra.items() if n})
        outcome.faults.update({kind.value: n for kind, n in self.bus.happened.items()})
        outcome.faults = Counter({str(kind): n for kind, n in outcome.faults.items() if n})
        if outcome.frames < self._frames:
            outcome.problems.append(f"{outcome.frames} frames in {_MOST_SECONDS:.0f} s")
        lies = outcome.faults["lie"] if self.outcome.mode is not Mode.ALPACA else 0
        told = sum(event.error_type == "SymbolsMissing" for event in self.events)
        if told < min(lies, 1):
            outcome.problems.append(f"{lies} lies, none was told")

    # --- processes ---

    async def _start(self) -> Process:
        self._processes += 1
        process = Process(self, self._processes)
        await self._in(process, process.manager.start())
        return process

    async def _in(self, process, work) -> None:
        """Do something in the name of a process, so that its tasks die with it."""
        token = PROCESS_NAME.set(process.name)
        try:
            task = asyncio.ensure_future(work)
        finally:
            PROCESS_NAME.reset(token)
        await task

    async def _restart(self, planned) -> None:
        now_ns = self.clock.now_ns()
        self.outcome.faults[planned.kind.value] += 1
        if planned.kind is Kind.KILL:
            await self._process.kill(self.loop)
        else:
            await self._in(self._process, self._process.manager.stop())
        await asyncio.sleep(planned.seconds)
        while self.bus.is_down:
            await asyncio.sleep(0.5)
        self.account.outage(planned.kind, now_ns, self.clock.now_ns())
        self._process = await self._start()


def _handshake(url):
    if url == ALPACA_URL:
        auth = {"action": "auth", "key": "${secret:venue/key}", "secret": "${secret:venue/secret}"}
        subscriptions = [
            {"action": "subscribe", channel: [symbol]}
            for symbol in ALPACA_SYMBOLS
            for channel in ("trades", "quotes", "orderbooks")
        ]
        return [msgspec.json.encode(each) for each in (auth, *subscriptions)]
    streams = [f"{symbol.lower()}@depth" for symbol in BINANCE_SYMBOLS]
    streams += [f"{symbol.lower()}@trade" for symbol in BINANCE_SYMBOLS[:4]]
    return [
        msgspec.json.encode({"method": "SUBSCRIBE", "params": streams[at : at + 3], "id": at + 1})
        for at in range(0, len(streams), 3)
    ]


def run_schedule(seed: int, *, frames: int = FRAMES) -> Outcome:
    """Run the schedule of a seed, quietly."""
    schedule = Schedule(seed, frames=frames)
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(schedule.run())
    finally:
        structlog.configure(**before)
