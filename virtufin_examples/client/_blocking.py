"""A subscription for programs without asyncio: a plain iterator over one that runs in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Self

from virtufin_examples.client._subscription import Subscription
from virtufin_examples.errors import PreconditionError
from virtufin_examples.frames import Item


class BlockingSubscription:
    """A plain iterator of a topic's items. Made by `subscribe_blocking`.

    Messages are taken from the bus only as the iteration asks for them. One thread iterates; `close` may be
    called from any, and ends the iteration.
    """

    def __init__(self, make: Callable[[], Subscription]) -> None:
        self._make = make
        self._ready: deque[Item] = deque()
        self._thread: threading.Thread | None = None
        self._started: Future[tuple[Subscription, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._closed = False

    def __enter__(self) -> Self:
        """Subscribe; raises what `subscribe` raises."""
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        """Return the next item; waits for it."""
        if not self._ready:
            batch = self._next_batch()
            if batch is None:
                raise StopIteration
            self._ready.extend(batch)
        return self._ready.popleft()

    @property
    def subscription(self) -> Subscription:
        """What runs in the thread, for its numbers (`frames`, `gaps`, `lag`, ...)."""
        if not self._started.done():
            raise PreconditionError("the subscription has not started", hint="ask for an item first")
        return self._started.result()[0]

    def close(self) -> None:
        """End it, and the thread."""
        self._closed = True
        if self._thread is not None and self._started.exception() is None:
            _, loop, stop = self._started.result()
            if self._thread.is_alive():
                loop.call_soon_threadsafe(stop.set)
            self._thread.join()

    def _start(self) -> tuple[Subscription, asyncio.AbstractEventLoop]:
        if self._thread is None:
            self._thread = threading.Thread(
                target=lambda: asyncio.run(self._serve()), name="virtufin-subscription", daemon=True
            )
            self._thread.start()
        subscription, loop, _ = self._started.result()
        return subscription, loop

    def _next_batch(self) -> list[Item] | None:
        if self._closed:
            return None
        subscription, loop = self._start()
        taking = asyncio.run_coroutine_threadsafe(subscription.next_batch(), loop)
        try:
            return taking.result()
        except CancelledError:  # closed by another thread
            return None
        except BaseException:
            taking.cancel()
            raise

    async def _serve(self) -> None:
        stop = asyncio.Event()
        try:
            subscription = await self._make()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for it
            self._started.set_exception(error)
            return
        self._started.set_result((subscription, asyncio.get_running_loop(), stop))
        try:
            await stop.wait()
        finally:
            await subscription.close()
