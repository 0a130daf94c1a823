"""What the runtime asks of an app, whatever its protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from virtufin_examples.bus._port import Ack
from virtufin_examples.bus.embedded._app_subscriptions import AppSubscription
from virtufin_examples.bus.embedded._message import Message
from virtufin_examples.errors import UnavailableError

APP_HOST = "127.0.0.1"
PUBSUB_HEADER = "pubsubname"
TOKEN_HEADER = "dapr-api-token"
BULK_EVENT_TYPE = "com.dapr.event.sent.bulk"


class AppUnreachableError(UnavailableError):
    """Nobody takes a call on the app's port, or the connection broke before the answer."""


class AppClient(Protocol):
    """The calls of one app. All raise `AppUnreachableError`."""

    async def subscriptions(self) -> list[AppSubscription]:
        """Ask the app what it subscribes to; `InvalidInputError` for what cannot be served."""

    async def deliver(self, route: AppSubscription, message: Message) -> Ack:
        """Hand over one event. What the app raises, and an answer that means nothing, is RETRY."""

    async def deliver_bulk(self, route: AppSubscription, messages: Sequence[Message]) -> list[Ack]:
        """Hand over several events; return an answer for each. One that is missing is RETRY."""

    async def close(self) -> None:
        """End the connections."""
