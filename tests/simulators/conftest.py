"""A running simulator and a plain WebSocket client."""

import contextlib

import httpx
import pytest
import websockets.asyncio.client

from virtufin_examples.simulators import SIMULATED_KEY, SIMULATED_SECRET, AlpacaSimulator
from virtufin_examples.venues.alpaca import auth_message, parse_frame


class Socket:
    """A client that speaks JSON text; `items` are the messages of the next frame."""

    def __init__(self, ws):
        self.ws = ws

    async def items(self):
        frame = await self.ws.recv()
        return parse_frame(frame.encode() if isinstance(frame, str) else frame)

    async def send(self, payload):
        await self.ws.send(payload.decode())

    async def login(self, key=SIMULATED_KEY, secret=SIMULATED_SECRET):
        await self.items()
        await self.send(auth_message(key, secret))
        return (await self.items())[0]

    async def ask(self, payload):
        """Send, and return the control message that answers; data in between is dropped."""
        await self.send(payload)
        while True:
            for item in await self.items():
                if item.type in {"subscription", "error"}:
                    return item


class Running:
    """A started simulator with its control client."""

    def __init__(self, simulator, address):
        self.simulator = simulator
        self.address = address
        self.http = httpx.AsyncClient(base_url=f"http://{simulator.control_address}")

    def url(self, path):
        return f"ws://{self.address}/{path}"

    @contextlib.asynccontextmanager
    async def connect(self, path, **options):
        async with websockets.asyncio.client.connect(self.url(path), compression=None, **options) as ws:
            yield Socket(ws)


@pytest.fixture
async def simulate():
    """Start simulators with given arguments; they are stopped at the end."""
    running = []

    async def start(**arguments):
        simulator = AlpacaSimulator(**arguments)
        address = await simulator.start()
        running.append(Running(simulator, address))
        return running[-1]

    yield start
    for each in running:
        await each.http.aclose()
        await each.simulator.stop()
