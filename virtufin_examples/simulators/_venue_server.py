"""What every simulator is made of: a WebSocket server, a control port, faults, an account, a market."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

from picows import WSUpgradeRequest, WSUpgradeResponseWithListener, ws_create_server

from virtufin_examples.errors import UnavailableError
from virtufin_examples.simulators._account_keeper import AccountKeeper
from virtufin_examples.simulators._client_socket import MAX_CLIENT_MESSAGE_BYTES, ClientSocket
from virtufin_examples.simulators._control import ControlServer, Request, Route
from virtufin_examples.simulators._fault_control import fault_routes
from virtufin_examples.simulators._faults import Faults, random_plan

_TICK_SECONDS = 0.01

Socket = TypeVar("Socket", bound=ClientSocket)


class VenueServer(Generic[Socket]):
    """Listens on two ports (0: free ones) and ticks while there are clients; a venue says what that means.

    `max_buffered_bytes` is what a client may leave unread before it is cut. With `faults_seed` things go
    wrong at random from the start.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        control_port: int,
        routes: tuple[Route, ...],
        max_buffered_bytes: int,
        faults_seed: int | None,
        pings: bool,
    ) -> None:
        self.max_buffered_bytes = max_buffered_bytes
        self.faults = Faults()
        self.keeper = AccountKeeper()
        self._faults_seed = faults_seed
        self._host = host
        self._port = port
        self._control_port = control_port
        self._pings = pings
        self._connections: list[Socket] = []
        self._occupied = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._control_address = ""
        self._pump: asyncio.Task[None] | None = None
        self._control = ControlServer(
            (
                *routes,
                Route("POST", "/control/drop", self._drop),
                *fault_routes(self.faults, self.now),
                *self.keeper.routes(),
            )
        )

    # --- hooks ---

    def tick(self) -> None:
        """Send what is due, about a hundred times a second while there are clients."""
        raise NotImplementedError

    def upgrade(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        """Answer a request on the port of the streams."""
        raise NotImplementedError

    # --- life ---

    @property
    def control_address(self) -> str:
        """Where the control endpoints are served over HTTP, as `host:port`; empty before `start`."""
        return self._control_address

    async def start(self) -> str:
        """Listen; returns `host:port`. Raises `UnavailableError` naming the port when it is taken."""
        try:
            self._server = await ws_create_server(
                self._upgrade,
                self._host,
                self._port,
                max_frame_size=MAX_CLIENT_MESSAGE_BYTES,
                enable_auto_ping=self._pings,
                enable_auto_pong=False,  # a half-open socket answers no pings
            )
        except OSError as error:
            raise UnavailableError(f"port: cannot listen on {self._host}:{self._port}: {error}") from error
        try:
            control_port = await self._control.start(self._host, self._control_port)
        except OSError as error:
            await self.stop()
            message = f"control_port: cannot listen on {self._host}:{self._control_port}: {error}"
            raise UnavailableError(message) from error
        if self._faults_seed is not None:
            self.faults.begin(random_plan(self._faults_seed), self.now())
        self._pump = asyncio.create_task(self._run(), name="simulated-market")
        self._pump.add_done_callback(self._pump_ended)
        self._control_address = f"{self._host}:{control_port}"
        return f"{self._host}:{int(self._server.sockets[0].getsockname()[1])}"

    async def stop(self) -> None:
        """Close all sockets with 1001 and stop listening."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])
            self._pump = None
        await self._control.stop()
        if self._server is not None:
            self._server.close()
        await asyncio.gather(*(connection.leave() for connection in self._connections))
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    def now(self) -> float:
        """Seconds on the loop's clock."""
        return asyncio.get_running_loop().time()

    # --- for the venue ---

    def take_in(self, connection: Socket) -> None:
        """A client is there."""
        self._connections.append(connection)
        self._occupied.set()

    def forget(self, connection: Socket) -> None:
        """A client is gone."""
        self._connections.remove(connection)
        if not self._connections:
            self._occupied.clear()

    # --- inside ---

    def _upgrade(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        self._disturb()  # without clients nobody else does
        return self.upgrade(request)

    async def _run(self) -> None:
        while True:
            await self._occupied.wait()
            await asyncio.sleep(_TICK_SECONDS)
            self._disturb()
            self.tick()

    def _disturb(self) -> None:
        """Carry out what the fault plan has for now."""
        for fault in self.faults.due(self.now()):
            self.keeper.struck(fault)
            for connection in list(self._connections):
                connection.strike(fault)
        for connection in list(self._connections):
            connection.flush()

    def _pump_ended(self, task: asyncio.Task[None]) -> None:
        """A bug in the market must not look like a quiet market: tell, and cut everybody."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            context = {"message": "the simulated market has stopped", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
            self._drop(Request())

    def _drop(self, request: Request) -> object:  # noqa: ARG002 - one signature for all routes
        dropped = list(self._connections)
        for connection in dropped:
            connection.drop()
        return {"dropped": len(dropped)}
