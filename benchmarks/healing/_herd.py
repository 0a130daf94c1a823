"""Many connections of one venue that lose their sockets at once, on virtual time: who tries when."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass

from tests.simulation.virtual_loop import LoopClock, VirtualLoop
from virtufin_examples.connections import (
    Connection,
    ConnectionEvent,
    ConnectionSpec,
    Grant,
    MemoryNetwork,
    MemoryPeer,
    Scopes,
    State,
)
from virtufin_examples.venues import Budget, Connector, HttpRequest, HttpResponse, VenueLimits

_URL = "wss://venue.example/feed"


class _Venue(Connector):
    name = "herd"

    def __init__(self, budget: Budget) -> None:
        self._limits = VenueLimits(scope="herd", connects=budget)

    def limits(self, url: str, options: object) -> VenueLimits:  # noqa: ARG002 - the port's signature
        return self._limits


class _Ledger:
    def __init__(self) -> None:
        self._epoch = 0

    async def begin_epoch(self) -> Grant:
        self._epoch += 1
        return Grant(self._epoch, 1, 1_000_000)

    async def confirm(self) -> None:
        """Nobody else is there."""

    async def extend(self) -> int:
        return 1 << 40


class _Nothing:
    """Nobody asks: the handshake is empty."""

    async def request(self, request: HttpRequest) -> HttpResponse:
        raise NotImplementedError(request.name)

    async def entries(self, name: str) -> Mapping[str, str]:
        raise NotImplementedError(name)


class _World:
    """What the connections live on."""

    http = _Nothing()
    secrets = _Nothing()

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.network = MemoryNetwork(clock)
        self.server = self.network.serve(_URL)
        self.scopes = Scopes()
        self.observer = self

    def connection_changed(self, event: ConnectionEvent) -> None:
        """The states are looked at instead."""


@dataclass(frozen=True, slots=True)
class Herd:
    """Seconds since the drop of each attempt, and how many connections were up at each whole second."""

    connections: int
    budget: Budget
    attempts: tuple[float, ...]
    up: tuple[int, ...]

    def most_attempts(self, seconds: float) -> int:
        """Return how many attempts fell within any such span of time."""
        start = most = 0
        for end, at in enumerate(self.attempts):
            while at - self.attempts[start] >= seconds:
                start += 1
            most = max(most, end - start + 1)
        return most


def run_herd(connections: int, budget: Budget, *, seed: int = 1) -> Herd:
    """Open connections within a budget, wait until it is whole again, drop all, and watch."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_run(connections, budget, seed))


async def _run(count: int, budget: Budget, seed: int) -> Herd:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    world = _World(LoopClock(loop))
    rng = random.Random(seed)
    peers: list[MemoryPeer] = []

    async def accept() -> None:
        while True:
            peers.append(await world.server.accept())

    accepting = asyncio.ensure_future(accept())
    herd = [
        Connection(
            ConnectionSpec(
                id=f"c{number}", url=_URL, auto_reconnect=True, connector=_Venue(budget), options={}
            ),
            world,
            _Ledger(),
            randomness=rng.random,
        )
        for number in range(count)
    ]
    await asyncio.gather(*(each.start() for each in herd))
    while any(each.state is not State.CONNECTED for each in herd):  # noqa: ASYNC110 - time is virtual
        await asyncio.sleep(1.0)
    await asyncio.sleep(budget.seconds)
    dropped_ns = world.clock.now_ns()
    world.server.attempts.clear()
    for peer in peers:
        peer.cut()
    await asyncio.sleep(0.01)
    up = [0]
    while up[-1] < count:
        await asyncio.sleep(1.0)
        up.append(sum(each.state is State.CONNECTED for each in herd))
    await asyncio.gather(*(each.close() for each in herd))
    accepting.cancel()
    attempts = tuple((at - dropped_ns) / 1e9 for at in world.server.attempts)
    return Herd(count, budget, attempts, tuple(up))
