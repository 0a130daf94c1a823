"""Real processes: a bus that goes away, a WebSocketManager that is killed or stopped meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
from contextlib import asynccontextmanager

import grpc.aio
import pytest

from tests.frames.runs import flat
from tests.programs import programs
from tests.websocketmanager.platform import running_bus, running_peer
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2_grpc as pb_grpc
from virtufin_examples.bus import Ack
from virtufin_examples.errors import UnavailableError
from virtufin_examples.frames import Frame, FrameFlag, Gap, Heartbeat, Merger, read_message

CLI = ("-m", "virtufin_examples.cli")
TOPIC = "ticks"


class Machine:
    """A runtime with its state on disk, WebSocketManagers, and what a subscriber gets."""

    def __init__(self, run, folder, spool_dir) -> None:
        self._run = run
        self._folder = folder
        self.spool_dir = spool_dir
        self._runtime_ports = ("0", "0")
        self.runtime = None
        self.items: list = []
        self.arrived = asyncio.Event()
        self._merger = Merger(TOPIC, now_ns=0)
        self._merged: list = []

    async def start_runtime(self) -> None:
        program = self._run(
            *CLI, "runtime", "--ephemeral", "--data", self._folder / "state",
            "--grpc-port", self._runtime_ports[0], "--http-port", self._runtime_ports[1],
        )  # fmt: skip
        line = await asyncio.to_thread(program.until, lambda line: "grpc" in line)
        self._runtime_ports = tuple(line[kind].rpartition(":")[2] for kind in ("grpc", "http"))
        self.runtime, self.dapr = program, line["grpc"]

    async def start_manager(self, **environment):
        program = self._run(
            *CLI,
            *("websocketmanager", "--ephemeral", "--dapr", self.dapr, "--grpc-port", "0", "--http-port", "0"),
            VIRTUFIN_SPOOL_DIR=str(self.spool_dir),
            **environment,
        )
        line = await asyncio.to_thread(program.until, lambda line: "grpc" in line)
        return program, line["grpc"]

    @asynccontextmanager
    async def listening(self):
        """Subscribe to the topic; what comes is put in order as a subscriber of ours does."""
        async with running_bus(self.dapr, "reader") as bus:
            await eventually(lambda: self._subscribed(bus))
            task = asyncio.create_task(self._listen(self._subscription))
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _subscribed(self, bus) -> bool:
        try:
            self._subscription = await bus.subscribe(TOPIC)
        except UnavailableError:  # gRPC still backs off from the runtime that was killed
            return False
        return True

    async def _listen(self, subscription) -> None:
        async for delivery in subscription:
            await delivery.answer(Ack.SUCCESS)
            event = delivery.event
            message = read_message(TOPIC, event.type, event.content_type, event.data, event.extensions)
            self.items += flat(message.items, TOPIC)
            self._merged += self._merger.add(message.items, now_ns=len(self.items), instance=message.instance)
            self.arrived.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.arrived.clear()
                await self.arrived.wait()

    @property
    def frames(self) -> list[Frame]:
        return [each for each in self.items if isinstance(each, Frame)]

    @property
    def beats(self) -> list[Heartbeat]:
        return [each for each in self.items if isinstance(each, Heartbeat)]

    @property
    def gaps(self) -> list[Gap]:
        return [each for each in self.items if isinstance(each, Gap)]

    def merged(self) -> list:
        """What a subscriber of ours makes of it."""
        return self._merged + self._merger.advance(10**12)


@pytest.fixture
async def machine(tmp_path, spool_dir):
    folder = tmp_path / "programs"
    folder.mkdir()
    with programs(folder) as run:
        machine = Machine(run, folder, spool_dir)
        await machine.start_runtime()
        yield machine


async def open_feed(address: str, url: str) -> str:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = pb_grpc.WebSocketManagerStub(channel)
        answer = await stub.Connect(pb.ConnectRequest(url=url, auto_reconnect=True))
        await stub.StartPublish(pb.StartPublishRequest(id=answer.id, topic=TOPIC, encoding="batch"))
        return answer.id


async def listed(address: str) -> pb.WebSocketConnection:
    async with grpc.aio.insecure_channel(address) as channel:
        answer = await pb_grpc.WebSocketManagerStub(channel).List(pb.ListConnectionsRequest())
        return answer.connections[0]


async def eventually(look, seconds: float = 20) -> None:
    """Ask again until it is so."""
    async with asyncio.timeout(seconds):
        while not await look():
            await asyncio.to_thread(os.sched_yield)  # every turn looks anew


def spooled_bytes(machine: Machine) -> int:
    """Look at the files while the oldest of them may go."""
    size = 0
    for path in machine.spool_dir.rglob("*.segment"):
        with contextlib.suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


async def test_killed_in_an_outage_it_loses_only_what_it_had_not_spooled(machine):
    manager, address = await machine.start_manager()
    async with running_peer() as server:
        async with machine.listening():
            connection_id = await open_feed(address, server.url)
            peer = await server.accept()
            for number in range(1, 101):
                peer.send_text(str(number))
            await machine.until(lambda: len(machine.frames) == 100)

            machine.runtime.end(signal.SIGKILL)
            for number in range(101, 301):
                peer.send_text(str(number))

            async def all_spooled():
                return spooled_bytes(machine) > 0 and (await listed(address)).last_sequence == 300

            await eventually(all_spooled)
            size = 0

            async def steady():
                nonlocal size
                before, size = size, spooled_bytes(machine)
                seen = await asyncio.gather(*(listed(address) for _ in range(20)))
                return before == size > 0 and bool(seen)

            await eventually(steady)
            manager.end(signal.SIGKILL)
        await machine.start_runtime()
        async with machine.listening():
            manager, address = await machine.start_manager()
            peer = await server.accept()
            peer.send_text("after")
            await machine.until(lambda: machine.frames[-1].text == "after")
    assert [frame.text for frame in machine.frames] == [*map(str, range(1, 301)), "after"]
    assert [frame.sequence for frame in machine.frames[:300]] == list(range(1, 301))
    assert {bool(frame.flags & FrameFlag.RECOVERED) for frame in machine.frames[100:300]} == {True}
    assert not any(frame.flags & FrameFlag.RECOVERED for frame in machine.frames[:100])
    assert machine.frames[-1].epoch == 2
    gap, end = machine.gaps
    assert (gap.cause, gap.first_sequence, gap.connection_id) == ("restart", 301, connection_id)
    assert (end.cause, end.connection_id, gap.ended, end.ended) == ("restart", connection_id, False, True)
    assert {gap.from_ns, end.from_ns} == {machine.frames[299].received_ns}
    merged = [each for each in machine.merged() if isinstance(each, (Frame, Gap))]
    assert merged == [*machine.frames[:300], gap, end, machine.frames[300]], "there is no other hole"
    assert spooled_bytes(machine) == 0


async def test_stopped_and_superseded_it_publishes_nothing_twice_or_late(machine):
    first, first_address = await machine.start_manager()
    async with running_peer() as server, machine.listening():
        await open_feed(first_address, server.url)
        old = await server.accept()
        old.send_text("before")
        await machine.until(lambda: len(machine.frames) == 1)

        async def mark_is_written():
            return any(
                b'"sequence":1,' in each.read_bytes() for each in machine.spool_dir.rglob("marks.json")
            )

        await eventually(mark_is_written)
        first.process.send_signal(signal.SIGSTOP)
        for _ in range(50):
            old.send_text("to the stopped one")
        _, second_address = await machine.start_manager()
        new = await server.accept()
        new.send_text("from the successor")
        beats = len(machine.beats)
        await machine.until(lambda: len(machine.frames) == 2)
        await machine.until(lambda: len(machine.beats) >= beats + 2)  # so long it takes to count as a pause

        first.process.send_signal(signal.SIGCONT)

        async def stepped_down():
            return (await listed(first_address)).status == "failed"

        await eventually(stepped_down)
        new.send_text("still the successor")
        await machine.until(lambda: machine.frames[-1].text == "still the successor")
        assert (await listed(second_address)).status == "connected"
    assert [frame.text for frame in machine.frames] == ["before", "from the successor", "still the successor"]
    assert [frame.epoch for frame in machine.frames] == [1, 2, 2]
    restart = next(gap for gap in machine.gaps if gap.cause == "restart")
    assert restart.first_sequence == 2


async def test_a_full_disk_is_announced_and_the_feed_goes_on(machine):
    _, address = await machine.start_manager(VIRTUFIN_SPOOL_MAX_MB="1")
    async with running_peer() as server:
        await open_feed(address, server.url)
        peer = await server.accept()
        machine.runtime.end(signal.SIGKILL)
        for number in range(1, 4001):
            peer.send_text(f"{number:>1000}")
            if number % 100 == 0:
                await listed(address)  # in its own time
        await eventually(lambda: problem(address))
        assert spooled_bytes(machine) <= 1024 * 1024
        await machine.start_runtime()
        async with machine.listening():
            await machine.until(lambda: machine.frames and machine.frames[-1].sequence == 4000)
    first = machine.items[0] if isinstance(machine.items[0], Frame) else machine.frames[0]
    numbers = [frame.sequence for frame in machine.frames]
    assert numbers == sorted(set(numbers))
    holes = {(a + 1, b - 1) for a, b in itertools.pairwise(numbers) if b != a + 1}
    assert holes == {(gap.first_sequence, gap.last_sequence) for gap in machine.gaps}
    assert {gap.cause for gap in machine.gaps} == {"overflow"}
    assert first.sequence == 1


async def problem(address: str) -> bool:
    return "full" in (await listed(address)).reason
