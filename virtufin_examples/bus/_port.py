"""The bus port: what the services and the client need of a Dapr sidecar, and no more."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

DEFAULT_PUBSUB_NAME = "pubsub"
DEFAULT_STATE_STORE_NAME = "statestore"
DEFAULT_SECRET_STORE_NAME = "secretstore"

CLOUDEVENT_JSON = "application/cloudevents+json"


class Ack(enum.IntEnum):
    """How a subscriber answers a delivery; the numbers are Dapr's TopicEventResponse status."""

    SUCCESS = 0
    RETRY = 1
    DROP = 2


@dataclass(frozen=True, slots=True)
class Event:
    """One delivered CloudEvent.

    `data` are the bytes as published for `text/*` and `application/octet-stream`; JSON may have been
    re-serialised on the way. `extensions` holds every other attribute; numbers arrive as floats.
    """

    id: str
    topic: str
    data: bytes
    content_type: str
    type: str
    source: str
    extensions: Mapping[str, object] = field(default_factory=dict)


class Delivery(Protocol):
    """An event that waits for its answer."""

    @property
    def event(self) -> Event: ...

    async def answer(self, ack: Ack) -> None:
        """Answer once; without an answer the broker may send the event again."""


class BusSubscription(Protocol):
    """A subscription in force. It reconnects by itself; `breaks` counts how often it had to."""

    @property
    def breaks(self) -> int: ...

    def __aiter__(self) -> AsyncIterator[Delivery]: ...

    async def close(self) -> None:
        """End it; iteration stops. Deliveries without an answer go back to the broker."""


@dataclass(frozen=True, slots=True)
class StateEntry:
    """A stored value with the etag to give for compare-and-swap."""

    value: bytes
    etag: str


class Bus(Protocol):
    """A connection to the sidecar. All methods raise `VirtufinError`s: `UnavailableError` when it is down."""

    @property
    def hides_backlog(self) -> bool:
        """Whether messages may pile up between taking and delivery, where a publisher cannot see it."""

    async def publish(
        self, topic: str, data: bytes, *, content_type: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        """Publish one message; returns when the broker has taken it.

        With content type `CLOUDEVENT_JSON`, `data` is a structured CloudEvent. `metadata` are Dapr's
        publish metadata: `ttlInSeconds`, `cloudevent.type`, `cloudevent.subject`, ...
        """

    @property
    def keeps_bulk_order(self) -> bool:
        """Whether what `publish_bulk` is given is delivered in its order."""

    async def publish_bulk(self, topic: str, messages: Sequence[bytes], *, content_type: str) -> int:
        """Publish messages together; return how many of them, from the first on, the broker has taken.

        At least one; the others are to be given again.
        """

    async def subscribe(
        self, topic: str, *, dead_letter_topic: str = "", metadata: Mapping[str, str] | None = None
    ) -> BusSubscription:
        """Return a subscription that is already in force."""

    async def get_state(self, key: str) -> StateEntry | None:
        """Return the value, or None when there is no such key."""

    async def save_state(
        self, key: str, value: bytes, *, etag: str | None = None, create: bool = False, ttl_seconds: int = 0
    ) -> None:
        """Write a value: `etag` must still match, `create` must find no value, else `ConflictError`.

        With neither the last write wins.
        """

    async def delete_state(self, key: str, *, etag: str | None = None) -> None:
        """Delete a key; it is no error when there is none."""

    async def get_secret(self, name: str) -> Mapping[str, str]:
        """Return the entries of a secret; `NotFoundError` when there is none of that name."""

    async def close(self) -> None:
        """End all subscriptions and the connection."""
