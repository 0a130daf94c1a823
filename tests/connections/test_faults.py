"""Whole lives under seeded faults, audited: each frame once and in order, or inside an announced gap."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.connections.toy_venue import ToyConnector
from tests.connections.world import new_world
from virtufin_examples.connections import (
    HandshakeMessage,
    SocketConnectError,
    State,
    UpgradeRefusedError,
    settle,
)
from virtufin_examples.frames import Frame, Gap

SYMBOLS = ("A", "B", "C")
STEPS = 200


class Venue:
    """Serves every socket that opens, and harms it as the seed says."""

    def __init__(self, world, rng) -> None:
        self.world = world
        self.rng = rng
        self.numbers = dict.fromkeys(SYMBOLS, 0)
        self.sent: list[str] = []
        self.peers: list = []
        self.subscribed: dict = {}
        self.serving = asyncio.ensure_future(self._accept())
        self.faults = 0

    async def _accept(self) -> None:
        while True:
            peer = await self.world.server.accept()
            self.peers.append(peer)
            self.subscribed[peer] = set()

    async def answer(self) -> None:
        for _ in range(8):
            await settle()
            for peer in self.peers:
                while peer.waiting():
                    verb, *names = (await peer.receive())[0].decode().split()
                    if verb == "sub":
                        self.subscribed[peer] |= set(names)
                    peer.send_text("!ok" if verb == "auth" else f"!set {' '.join(self.subscribed[peer])}")

    def alive(self):
        return [peer for peer in self.peers if peer.closed is None and not peer.is_half_open]

    def publish(self) -> None:
        symbol = self.rng.choice(SYMBOLS)
        self.numbers[symbol] += 1
        text = f"{symbol} {self.numbers[symbol]}"
        for peer in self.rng.sample(self.alive(), len(self.alive())):
            if symbol in self.subscribed[peer]:
                peer.send_text(text)

    def harm(self) -> None:
        self.faults += 1
        alive = self.alive()
        peer = self.rng.choice(alive) if alive else None
        match self.rng.choice(("cut", "close", "half-open", "garbage", "leave", "refuse", "busy")):
            case "cut" if peer:
                peer.cut()
                peer.is_half_open = True
            case "close" if peer:
                peer.close(1001, "restart")
                peer.is_half_open = True
            case "half-open" if peer:
                peer.is_half_open = True
            case "garbage" if peer:
                peer.send_frame(1, b"\xff\xfe")
            case "leave" if peer:
                peer.send_text("!leave")
            case "refuse":
                self.world.server.answers.append(SocketConnectError("refused"))
            case "busy":
                self.world.server.answers.append(UpgradeRefusedError(429, {"retry-after": "3"}))


def audit(items) -> tuple[int, int]:
    """Check the account; return how many frames came and how many gaps were announced."""
    sequences = [item.sequence for item in items]
    assert sequences == sorted(set(sequences)), "sequences repeat or go back"
    last: dict[str, int] = {}
    open_gap: set[str] = set()
    frames = gaps = 0
    for item in items:
        if isinstance(item, Gap):
            gaps += 1
            open_gap |= set(item.symbols or SYMBOLS)
            assert item.from_ns <= item.to_ns
        elif isinstance(item, Frame) and not item.data.startswith(b"!"):
            frames += 1
            symbol, number = item.text.split()
            before = last.get(symbol, 0)
            assert int(number) > before, f"{item.text} after {before}: repeated or out of order"
            follows = int(number) == before + 1 or before == 0
            assert follows or symbol in open_gap, f"silent hole before {item.text}, after {before}"
            open_gap.discard(symbol)
            last[symbol] = int(number)
    return frames, gaps


async def live(seed: int, options: dict[str, str]):
    rng = random.Random(seed)
    async with new_world() as world:
        venue = Venue(world, rng)
        connection = world.connection(
            connector=ToyConnector(), options={"quiet_seconds": "0", **options}, randomness=rng.random
        )
        try:
            await connection.start()
            await settle()
            for text in (b"auth", b"sub A B C"):
                await connection.send(HandshakeMessage(text))
                await venue.answer()
            connection.publish_to(world)
            for _ in range(STEPS):
                for _ in range(rng.randrange(4)):
                    venue.publish()
                if rng.random() < 0.05:
                    venue.harm()
                await venue.answer()
                await world.clock.advance(rng.choice((0.01, 0.1, 0.5)))
            for _ in range(150):  # peace: everything heals
                await world.clock.advance(1)
                await venue.answer()
            assert connection.state is State.CONNECTED
            for _ in range(30):
                venue.publish()
                await world.clock.advance(0.1)
            await world.clock.advance(5)
        finally:
            venue.serving.cancel()
            await asyncio.gather(venue.serving, return_exceptions=True)
        return world.items, venue


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "options", [{}, {"watch": "every"}, {"redundancy": "2"}], ids=["one", "every", "two"]
)
async def test_the_account_closes(seed, options):
    items, venue = await live(seed, options)
    frames, _ = audit(items)
    assert frames > 40
    assert venue.faults >= 3
    for symbol in SYMBOLS:
        newest = [item.text for item in items if isinstance(item, Frame) and item.text.startswith(symbol)][-1]
        assert newest == f"{symbol} {venue.numbers[symbol]}"


async def test_the_same_seed_gives_the_same_items():
    first, _ = await live(5, {"redundancy": "2"})
    second, _ = await live(5, {"redundancy": "2"})
    assert first == second


@pytest.mark.parametrize("plant", ["loss", "repeat", "swap"])
async def test_the_audit_finds_what_is_planted(plant):
    items, _ = await live(1, {"watch": "every"})
    data = [index for index, item in enumerate(items) if isinstance(item, Frame) and item.text[0] == "A"]
    at, after = data[3], data[4]
    assert not any(isinstance(item, Gap) for item in items[at : data[5]])
    if plant == "loss":
        del items[after]
    elif plant == "repeat":
        items.insert(after, items[at])
    else:
        items[at], items[after] = items[after], items[at]
    with pytest.raises(AssertionError):
        audit(items)
