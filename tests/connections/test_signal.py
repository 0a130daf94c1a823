"""A signal is `asyncio.Event` to those who use it."""

from __future__ import annotations

import asyncio

from virtufin_examples.connections import settle
from virtufin_examples.connections._signal import Signal


async def test_all_who_wait_go_on_also_when_it_is_cleared_at_once():
    signal = Signal()
    waiting = [asyncio.create_task(signal.wait()) for _ in range(3)]
    await settle()
    assert not any(task.done() for task in waiting)
    signal.set()
    signal.clear()
    await settle()
    assert all(task.done() for task in waiting)
    assert not signal.is_set()


async def test_one_that_is_set_is_not_waited_for():
    signal = Signal()
    signal.set()
    await asyncio.wait_for(signal.wait(), 1)
    assert signal.is_set()


async def test_a_waiter_that_is_cancelled_leaves_the_others_waiting():
    signal = Signal()
    first, second = (asyncio.create_task(signal.wait()) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    assert first.cancelled()
    assert not second.done()
    signal.set()
    await second
