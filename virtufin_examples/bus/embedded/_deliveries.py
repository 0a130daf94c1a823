"""A subscription on the running loop: waits for what is next to deliver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from virtufin_examples.bus.embedded._broker import Broker
from virtufin_examples.bus.embedded._message import Message
from virtufin_examples.bus.embedded._subscription import Subscription, SubscriptionOptions


class Deliveries:
    """One subscription's messages; `on_end` is called when it ends."""

    def __init__(self, broker: Broker, options: SubscriptionOptions, *, on_end: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._work = asyncio.Event()
        self._on_end = on_end
        self.subscription: Subscription = broker.subscribe(options, self._wake)

    async def next(self) -> Message | None:
        """Return the next message to deliver, None when the subscription has ended."""
        subscription = self.subscription
        while subscription.end_reason is None:
            self._work.clear()
            message = subscription.take()
            if message is not None:
                return message
            due = subscription.next_retry_at()
            timer = None if due is None else self._loop.call_at(due, self._work.set)
            await self._work.wait()
            if timer is not None:
                timer.cancel()
        return None

    def _wake(self) -> None:
        self._work.set()
        if self.subscription.end_reason is not None:
            self._on_end()
