"""What is begun and fails is undone, whatever happens meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from virtufin_examples.client._shield import undone_by
from virtufin_examples.errors import UnavailableError, VenueError


async def test_what_goes_well_is_not_undone():
    async def undo() -> None:
        raise AssertionError("undone")

    async with undone_by(undo, limit_seconds=1):
        pass


async def test_what_fails_is_undone_and_raised_with_a_note_where_that_fails_too():
    async def undo() -> None:
        raise UnavailableError("gone")

    with pytest.raises(VenueError, match="refused") as caught:
        async with undone_by(undo, limit_seconds=1):
            raise VenueError("refused")
    assert caught.value.__notes__ == ["then undoing it failed: gone"]


async def test_a_cancellation_does_not_cut_the_undoing_short():
    begun, may_end, undone = asyncio.Event(), asyncio.Event(), []

    async def undo() -> None:
        begun.set()
        await may_end.wait()
        undone.append(True)

    async def work() -> None:
        async with undone_by(undo, limit_seconds=10):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert undone == [True]
