"""Ending a feed: its connection, its worker, and whatever else carries its run's tag."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

from virtufin_examples.client._api import ApiClient
from virtufin_examples.client._connections import WebSocketManagerClient
from virtufin_examples.client._steps import OnStep, Steps
from virtufin_examples.client._together import together
from virtufin_examples.client._workers import WorkManagerClient
from virtufin_examples.errors import DeadlineError, NotFoundError, PreconditionError, VirtufinError

RUN_TAG = "virtufin.run"
"""Tag of workers and connections: the id of the run that they belong to."""
STEP_SECONDS = 5.0
CLOSE_SECONDS = 6 * STEP_SECONDS


class FeedCloser:
    """Ends what one run started, step by step; a step that fails does not keep the next from being tried."""

    def __init__(self, api: ApiClient, run_id: str, steps: Steps) -> None:
        self._workers = WorkManagerClient(api)
        self._connections = WebSocketManagerClient(api)
        self._tags = {RUN_TAG: run_id}
        self._steps = steps
        self._errors: list[VirtufinError] = []

    async def close(self, disconnect: Callable[[], Awaitable[object]] | None = None) -> None:
        """Disconnect, stop and delete the workers, look that nothing is left.

        `disconnect` is the worker's own; without it the gateway is asked. Raises the first error at the end.
        """
        with self._collected("disconnect"):
            async with asyncio.timeout(STEP_SECONDS):
                with contextlib.suppress(NotFoundError):
                    await (disconnect or self._disconnect_all)()
        workers: list[str] = []
        with self._collected("stop worker"):
            async with asyncio.timeout(STEP_SECONDS):
                workers += [worker.id for worker in await self._workers.list_workers(self._tags)]
                await self._each(self._workers.stop_worker, workers)
        with self._collected("delete worker"):
            async with asyncio.timeout(STEP_SECONDS):
                await self._each(self._workers.delete_worker, workers)
        with self._collected("list"):
            async with asyncio.timeout(STEP_SECONDS):
                await self._disconnect_all()  # one that was being opened when we were interrupted
                _expect_none(
                    "connections", [item.id for item in await self._connections.list_connections(self._tags)]
                )
        with self._collected("ListWorkers"):
            async with asyncio.timeout(STEP_SECONDS):
                _expect_none("workers", [item.id for item in await self._workers.list_workers(self._tags)])
        if self._errors:
            raise self._errors[0]

    async def _disconnect_all(self) -> None:
        left = await self._connections.list_connections(self._tags)
        await self._each(self._connections.disconnect, [item.id for item in left])

    async def _each(self, act: Callable[[str], Awaitable[None]], ids: list[str]) -> None:
        async def end(one: str) -> None:
            with contextlib.suppress(NotFoundError):  # gone already is what was wanted
                await act(one)

        await together(end(one) for one in ids)

    @contextlib.contextmanager
    def _collected(self, name: str) -> Iterator[None]:
        try:
            with self._steps.step(name):
                try:
                    yield
                except TimeoutError:
                    raise DeadlineError(f"{name}: no answer within {STEP_SECONDS:g} s") from None
        except VirtufinError as error:
            self._errors.append(error)


def _expect_none(what: str, ids: list[str]) -> None:
    if ids:
        raise PreconditionError(f"{what} of this run are still there: {', '.join(ids)}")


async def close_feed(api: ApiClient, run_id: str, *, on_step: OnStep | None = None) -> None:
    """End the feed of a run, for example one that was left with `keep`; ending it twice is no error."""
    await FeedCloser(api, run_id, Steps(on_step)).close()
