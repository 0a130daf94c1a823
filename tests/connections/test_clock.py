"""The machine's clock: thousands of calls that are due together share the event loop's timers."""

from __future__ import annotations

import asyncio

from virtufin_examples.connections import SystemClock
from virtufin_examples.connections._clock import SLOTS_A_SECOND


async def test_calls_come_in_their_time_and_within_a_slot_of_it():
    clock = SystemClock()
    came, done = [], asyncio.Event()
    for number, seconds in enumerate((0.02, 0.0, 0.01, 0.02)):
        due = clock.monotonic() + seconds

        def come(number=number, due=due):
            came.append((number, clock.monotonic() >= due))
            if len(came) == 4:
                done.set()

        clock.call_later(seconds, come)
    await asyncio.wait_for(done.wait(), 5)
    assert came == [(1, True), (2, True), (0, True), (3, True)]


async def test_a_call_that_is_cancelled_never_comes_and_one_that_fails_stops_no_other(monkeypatch):
    clock, loop = SystemClock(), asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)  # all in one slot
    came, failed, done = [], [], asyncio.Event()
    loop.set_exception_handler(lambda _loop, context: failed.append(context["exception"]))
    never = clock.call_later(0.0, lambda: came.append("never"))
    clock.call_later(0.0, lambda: 1 / 0)
    clock.call_later(0.0, lambda: [each.cancel() for each in by_the_one_before])
    by_the_one_before = [clock.call_later(0.0, lambda: came.append("too late"))]
    clock.call_later(0.0, done.set)
    never.cancel()
    monkeypatch.undo()
    await asyncio.wait_for(done.wait(), 5)
    never.cancel()
    assert (came, [type(each) for each in failed]) == ([], [ZeroDivisionError])


async def test_a_thousand_calls_due_together_take_few_timers(monkeypatch):
    clock, loop = SystemClock(), asyncio.get_running_loop()
    timers, call_at = [], loop.call_at

    def counted(when, callback, *arguments, context=None):
        timers.append(when)
        return call_at(when, callback, *arguments, context=context)

    monkeypatch.setattr(loop, "call_at", counted)
    done = asyncio.Event()
    left = iter(range(1000, 0, -1))
    began = loop.time()
    for _ in range(1000):
        clock.call_later(0.05, lambda: done.set() if next(left) == 1 else None)
    slots = (loop.time() - began) * SLOTS_A_SECOND + 2
    monkeypatch.undo()
    assert len(timers) <= slots
    await asyncio.wait_for(done.wait(), 5)


def test_another_event_loop_has_timers_of_its_own():
    clock = SystemClock()

    async def leave_one_behind():
        clock.call_later(60.0, lambda: None)

    async def wait_for_one():
        done = asyncio.Event()
        clock.call_later(0.0, done.set)
        await asyncio.wait_for(done.wait(), 5)

    asyncio.run(leave_one_behind())
    asyncio.run(wait_for_one())
