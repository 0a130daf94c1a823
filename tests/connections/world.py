"""A connection's world in memory: clock, network, HTTP, ledger, secrets, observer and outlet."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from tests.frames.runs import flat
from virtufin_examples.connections import (
    BLOCK_SIZE,
    Connection,
    ConnectionSpec,
    GenericConnector,
    Grant,
    MemoryNetwork,
    Scopes,
    VirtualClock,
)
from virtufin_examples.errors import NotFoundError, UnavailableError
from virtufin_examples.frames import Frame, Gap

URL = "wss://venue.example/feed"


class MemoryLedger:
    def __init__(self, *, block: int = BLOCK_SIZE) -> None:
        self.epoch = 0
        self.reserved = 0
        self.block = block
        self.errors: list[Exception] = []
        self.extensions = 0

    def _maybe_fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    async def begin_epoch(self) -> Grant:
        self._maybe_fail()
        self.epoch += 1
        self.reserved = self.reserved or self.block
        return Grant(self.epoch, 1, self.reserved)

    async def confirm(self) -> None:
        self._maybe_fail()

    async def extend(self) -> int:
        self.extensions += 1
        self._maybe_fail()
        self.reserved += self.block
        return self.reserved


class Secrets:
    def __init__(self) -> None:
        self.values = {"key": "CANARY", "hosts": "venue.example"}
        self.asked = 0

    async def entries(self, name):
        self.asked += 1
        if name != "venue":
            raise NotFoundError(f"no secret {name!r}")
        return self.values


class MemoryHttp:
    """Answers requests by name, and remembers them."""

    def __init__(self) -> None:
        self.answers = {}
        self.requests = []

    async def request(self, request):
        self.requests.append(request)
        answer = self.answers.get(request.name)
        if answer is None:
            raise UnavailableError(f"no answer to {request.name}")
        return answer(request) if callable(answer) else answer


@dataclass
class World:
    clock: VirtualClock = field(default_factory=VirtualClock)
    secrets: Secrets = field(default_factory=Secrets)
    events: list = field(default_factory=list)
    items: list = field(default_factory=list)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)

    def __post_init__(self) -> None:
        self.network = MemoryNetwork(self.clock)
        self.server = self.network.serve(URL)
        self.observer = self
        self.http = MemoryHttp()
        self.scopes = Scopes()
        self.opened: list[Connection] = []

    def connection_changed(self, event) -> None:
        self.events.append(event)

    def put(self, items, size) -> None:
        self.items += flat(items)

    def connection(
        self, *, auto_reconnect=True, connector=None, randomness=lambda: 1.0, **parts
    ) -> Connection:
        spec = ConnectionSpec(
            id="c1",
            url=parts.pop("url", URL),
            auto_reconnect=auto_reconnect,
            connector=connector or GenericConnector(),
            options=parts.pop("options", {}),
            owner="worker",
        )
        connection = Connection(spec, self, self.ledger, randomness=randomness, **parts)
        self.opened.append(connection)
        return connection

    @property
    def frames(self) -> list[str]:
        return [item.text for item in self.items if isinstance(item, Frame)]

    @property
    def gaps(self) -> list[Gap]:
        return [item for item in self.items if isinstance(item, Gap)]

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    @property
    def markers(self) -> list:
        return [item for item in self.items if not isinstance(item, Frame)]

    def errors(self) -> list[str]:
        return [event.error_type for event in self.events if event.kind == "error"]


@contextlib.asynccontextmanager
async def new_world():
    world = World()
    try:
        yield world
    finally:
        for connection in world.opened:
            await connection.close()


async def opened(world, **parts):
    connection = world.connection(**parts)
    await connection.start()
    return connection, await world.server.accept()
