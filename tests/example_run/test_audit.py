"""The account of a run: a simulator of its own, read over a plain socket."""

from __future__ import annotations

import time
from typing import Self

import pytest
import websockets.asyncio.client

from virtufin_examples.audit import FindingKind
from virtufin_examples.example_run import _audit
from virtufin_examples.example_run._audit import RunAudit
from virtufin_examples.frames import Frame
from virtufin_examples.simulators import BinanceSimulator


class PlainFeed:
    """Numbers what comes over a socket; `lost` frames are swallowed without a word."""

    def __init__(self, ws: websockets.asyncio.client.ClientConnection, lost: int = 0) -> None:
        self._ws = ws
        self._lost = lost
        self._sequence = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        data = await self._ws.recv()
        while self._sequence == 20 and self._lost:
            data = await self._ws.recv()
            self._lost -= 1
        self._sequence += 1
        return Frame(
            topic="t",
            connection_id="c-1",
            epoch=1,
            sequence=self._sequence,
            received_ns=time.time_ns(),
            data=data.encode() if isinstance(data, str) else data,
        )


@pytest.mark.parametrize("lost", [0, 2])
async def test_the_account_closes_unless_a_frame_went_missing(
    lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_audit, "SETTLE_SECONDS", 0.5)
    monkeypatch.setattr(_audit, "QUIET_SECONDS", 0.5)
    simulator = BinanceSimulator(rate=200)
    address = await simulator.start()
    try:
        audit = RunAudit(f"http://{simulator.control_address}", seed=1)
        await audit.begin()
        url = f"ws://{address}/stream?streams=btcusdt@trade"
        async with websockets.asyncio.client.connect(url, compression=None) as ws:
            feed = PlainFeed(ws, lost)
            for _ in range(40):
                audit.received(await anext(feed))
            result = await audit.finish(feed)
    finally:
        await simulator.stop()
    assert result.sent - result.delivered == lost
    assert result.is_closed is (lost == 0)
    assert {finding.kind for finding in result.findings} == ({FindingKind.LOSS} if lost else set())
