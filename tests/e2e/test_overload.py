"""A subscriber stands still while the venue sends all it can: real processes, by overflow policy."""

from __future__ import annotations

import asyncio
import urllib.request
from pathlib import Path

import grpc.aio
import pytest

from benchmarks.throughput._field import Load, sending
from tests.programs import eventually_none, processes_in
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2_grpc as pb_grpc
from virtufin_examples.client import Frame, Gap, subscribe
from virtufin_examples.frames import Overflow

TOPIC = "flood"
FRAMES = 2_000_000
"""300 MB, where the queues on the way hold 100."""
SECONDS = 60
QUEUE_BYTES = 64 * 1024 * 1024
FULL = {
    Overflow.SPOOL: ("spool_bytes", 64e6),
    Overflow.BLOCK: ("queue_bytes", QUEUE_BYTES / 2),
    Overflow.DROP_OLDEST: ("dropped_frames_total", 200_000),
}
MOST_MEMORY_KB = 200_000
"""50 MB at rest, the queue, and what Python takes for an object of 150 bytes."""


@pytest.fixture
def machine(start) -> dict:
    program = start("-m", "virtufin_examples.cli", "up", "--ephemeral")
    return {**program.until(lambda line: "gateway" in line), "folder": program.folder}


def figure(machine, name):
    with urllib.request.urlopen(f"http://{machine['websocketmanager_http']}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    values = [line.rpartition(" ")[2] for line in lines if f'_{name}{{topic="{TOPIC}"}}' in line]
    return float(values[0]) if values else 0.0


def most_memory_kb(machine):
    """The most that the WebSocketManager has ever had."""
    (manager,) = processes_in(machine["folder"], "cli websocketmanager")
    (line,) = [
        line for line in Path(f"/proc/{manager}/status").read_text().splitlines() if line.startswith("VmHWM")
    ]
    return int(line.split()[1])


def fills(machine, overflow):
    """Return what tells whether there is still room; where the sockets wait, the queue stands still."""
    name, enough = FULL[overflow]
    seen = [0.0]

    def look():
        seen.append(figure(machine, name))
        return seen[-1] < enough or (overflow is Overflow.BLOCK and seen[-1] != seen[-2])

    return look


async def open_the_flood(stub, port, overflow):
    answer = await stub.Connect(pb.ConnectRequest(url=f"ws://127.0.0.1:{port}/"))
    await stub.StartPublish(
        pb.StartPublishRequest(id=answer.id, topic=TOPIC, encoding="batch", overflow=overflow)
    )
    await stub.SendRaw(pb.SendRawRequest(id=answer.id, message=b"go", content_type="text/plain"))


@pytest.mark.parametrize("overflow", list(FULL))
async def test_memory_keeps_its_bound_and_every_number_comes_in_its_place_or_in_a_gap(machine, overflow):
    async with (
        sending(Load(150, 65536, FRAMES)) as (_sender, port),
        grpc.aio.insecure_channel(machine["websocketmanager"]) as channel,
        subscribe(TOPIC, dapr=machine["runtime"]) as items,
        asyncio.timeout(SECONDS),
    ):
        await open_the_flood(pb_grpc.WebSocketManagerStub(channel), port, overflow)
        assert not await asyncio.to_thread(eventually_none, fills(machine, overflow), SECONDS / 2)

        number = lost = 0
        async for batch in items.batches():
            for item in batch:
                if isinstance(item, Frame):
                    number += 1
                    assert item.sequence == number
                elif isinstance(item, Gap):
                    assert item.first_sequence == number + 1
                    number = item.last_sequence
                    lost += item.last_sequence - item.first_sequence + 1
            if number >= FRAMES:
                break

        assert number == FRAMES
        assert (lost > 0) == (overflow is Overflow.DROP_OLDEST)
        assert await asyncio.to_thread(figure, machine, "dropped_frames_total") == lost
        assert most_memory_kb(machine) < MOST_MEMORY_KB
