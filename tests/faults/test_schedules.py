"""Seeded schedules of faults on real sockets between real processes: the subscriber's account must close.

Simulator, fault proxy, WebSocketManager, fault proxy, embedded runtime, `subscribe()`. What the venue sent is
read from the simulator's bytes where they enter the proxy. Two of three buses are reached by the runtime's
lane, the others by gRPC. Run by `make test-faults`; `ARGS="--seed 7"` repeats one.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.faults.machine import running
from tests.faults.plan import random_plan

SCHEDULES = 20


@pytest.mark.schedules(SCHEDULES)
async def test_the_account_closes(machine, seed):
    venue_name = ("alpaca", "binance")[seed % 2]
    encoding = ("batch", "frame")[seed // 2 % 2]
    of_venue = seed % 5 != 4
    of_bus = seed % 5 >= 3
    by_lane = seed % 3 != 0
    parts = {"seed": seed, "topic": f"faults-{seed}", "encoding": encoding, "by_lane": by_lane}
    async with running(machine, venue_name, **parts) as (run, venue, buses):
        await run.until(lambda: len(run.items) > 20)
        assert not by_lane or buses[1].accepted > 0
        plans = []
        if of_venue:
            plans.append(venue.carry_out(random_plan(seed), run.struck))
        if of_bus:
            plan = random_plan(seed + 1000, corrupts=False)
            plans += [bus.carry_out(plan, run.struck_bus) for bus in buses]
        await asyncio.gather(*plans)
        until_ns = time.time_ns()
        await run.until_received_after(until_ns)

    result = run.auditor.audit(run.account, until_ns=until_ns)

    print(f"seed {seed}: {venue_name}, {encoding}, {', '.join(run.kinds)}; {result.summary()}")  # noqa: T201 - pytest shows it of one that fails
    assert result.is_closed, "\n".join(map(str, result.findings[:10]))
    assert result.sent > 100
    assert bool(run.gaps) or not of_venue
