"""The app channel: hands the events of the app's topics to the app, one after the other for each topic.

The runtime may be started before the app, and the app may be restarted: what is published meanwhile waits, as
long as the subscription's queue has room. Subscriptions are asked for once, as by daprd.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import structlog

from virtufin_examples.bus._port import Ack
from virtufin_examples.bus.embedded._app_client import APP_HOST, AppClient, AppUnreachableError
from virtufin_examples.bus.embedded._app_subscriptions import AppSubscription, BulkOptions
from virtufin_examples.bus.embedded._broker import Broker
from virtufin_examples.bus.embedded._deliveries import Deliveries
from virtufin_examples.bus.embedded._message import Message
from virtufin_examples.bus.embedded._subscription import EndReason, SubscriptionOptions
from virtufin_examples.errors import InvalidInputError

LOOK_SECONDS = 0.1  # how often a port is tried on which nobody listens
PAUSE_SECONDS = 0.5  # before a call is made again that broke although somebody listens

_log = structlog.get_logger(__name__)


class AppChannel:
    """Serves one app; `http`: its events travel as JSON. `unready` names what is missing, if anything is."""

    def __init__(
        self,
        client: AppClient,
        broker: Broker,
        declared: Sequence[AppSubscription],
        *,
        app_id: str,
        port: int,
        http: bool,
    ) -> None:
        self._client = client
        self._broker = broker
        self._declared = declared
        self._app_id = app_id
        self._port = port
        self._http = http
        self._task: asyncio.Task[None] | None = None
        self.unready = f"no app listens on port {port}"

    def start(self) -> None:
        """Begin to wait for the app."""
        self._task = asyncio.create_task(self._serve(), name="runtime-app")

    async def stop(self) -> None:
        """End all deliveries; an event under way is cut off."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._client.close()

    async def _serve(self) -> None:
        try:
            routes = await self._routes()
        except InvalidInputError as error:
            self.unready = str(error)
            _log.error("the app is not served", error=str(error))
            return
        _log.info("the app is served", port=self._port, topics=[route.topic for route in routes])
        async with asyncio.TaskGroup() as pumps:
            for route in routes:
                pumps.create_task(self._pump(route), name=f"runtime-app-{route.topic}")
            self.unready = ""

    async def _routes(self) -> list[AppSubscription]:
        """Return what is declared, and what the app says for other topics."""
        await self._listening()
        while True:
            try:
                said = await self._client.subscriptions()
            except AppUnreachableError as error:
                await self._again(error)
            else:
                break
        topics = {route.topic for route in self._declared}
        return [*self._declared, *(route for route in said if route.topic not in topics)]

    async def _pump(self, route: AppSubscription) -> None:
        """Serve one topic. A subscription that was ended because the app held it up begins anew."""
        options = SubscriptionOptions(
            self._app_id, route.topic, route.dead_letter_topic, route.raw, self._http, route.kind, route.path
        )
        while True:
            ended = asyncio.Event()
            deliveries = Deliveries(self._broker, options, on_end=ended.set)
            try:
                async with asyncio.TaskGroup() as tasks:
                    serving = tasks.create_task(self._deliver(deliveries, route))
                    await ended.wait()
                    serving.cancel()
            finally:
                deliveries.subscription.end()
            if deliveries.subscription.end_reason is not EndReason.STALLED:
                return
            _log.warning("the app held its topic up and is subscribed anew", topic=route.topic)

    async def _deliver(self, deliveries: Deliveries, route: AppSubscription) -> None:
        while (message := await deliveries.next()) is not None:
            messages = [message]
            if route.bulk is not None:
                await _gather(deliveries, route.bulk, messages)
            for delivered, ack in zip(messages, await self._answers(route, messages), strict=True):
                deliveries.subscription.answer(delivered.id, ack)

    async def _answers(self, route: AppSubscription, messages: Sequence[Message]) -> list[Ack]:
        """Return the app's answers; an app that is not there is waited for, and no delivery counts."""
        while True:
            try:
                if route.bulk is None:
                    return [await self._client.deliver(route, messages[0])]
                return await self._client.deliver_bulk(route, messages)
            except AppUnreachableError as error:
                if await self._again(error):
                    return [Ack.RETRY] * len(messages)
            except Exception as error:  # noqa: BLE001 - one event must not end the delivery of all
                _log.error("an event could not be delivered", topic=route.topic, exc_info=error)
                return [Ack.RETRY] * len(messages)

    async def _again(self, error: AppUnreachableError) -> bool:
        """Wait until a call may be made again; return whether somebody had been listening all the time."""
        listens = await self._listens()
        _log.warning("the app cannot be reached", port=self._port, listens=listens, error=str(error))
        if listens:
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            await self._listening()
        return listens

    async def _listening(self) -> None:
        while not await self._listens():  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(LOOK_SECONDS)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(APP_HOST, self._port)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True


async def _gather(deliveries: Deliveries, bulk: BulkOptions, messages: list[Message]) -> None:
    """Add what comes until there are enough, or the first one has waited long enough."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(bulk.max_await_seconds):
            while len(messages) < bulk.max_messages:
                message = await deliveries.next()
                if message is None:
                    return
                messages.append(message)
