"""One subscription's queue: what waits, what is unanswered, what pauses before a redelivery."""

from __future__ import annotations

import enum
import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from virtufin_examples.bus._port import Ack
from virtufin_examples.bus.embedded._message import Message
from virtufin_examples.bus.embedded._publication import Publication

MESSAGE_OVERHEAD_BYTES = 512  # so that tiny messages are bounded as well
RETRY_BASE_SECONDS = 0.1
RETRY_CAP_SECONDS = 5.0
MAX_DELIVERIES = 10


class Cause(enum.StrEnum):
    """Why a message was given up."""

    DROPPED = "dropped by the subscriber"
    RETRIES = "retries exhausted"
    EXPIRED = "expired"
    UNDECODABLE = "not a CloudEvent"
    ENDED = "subscription ended without an answer"
    DEAD_LETTER_FULL = "queue of a dead letter subscriber is full"


class EndReason(enum.Enum):
    """Why a subscription ended."""

    CLIENT = enum.auto()
    STOPPING = enum.auto()
    STALLED = enum.auto()


class SubscriptionKind(enum.Enum):
    """How a subscription came about."""

    DECLARATIVE = enum.auto()
    PROGRAMMATIC = enum.auto()
    STREAMING = enum.auto()


@dataclass(frozen=True, slots=True)
class SubscriptionOptions:
    """What a subscriber asked for. `http`: its events travel as JSON; `path` is that of its app."""

    app_id: str
    topic: str
    dead_letter_topic: str = ""
    raw: bool = False
    http: bool = False
    kind: SubscriptionKind = SubscriptionKind.STREAMING
    path: str = "/"


class Delivery:
    """A message on its way to one subscription; `ordinal` is its place among all that was published."""

    __slots__ = ("deliveries", "message", "ordinal", "publication", "size_bytes")

    def __init__(self, publication: Publication, message: Message, ordinal: int) -> None:
        self.publication = publication
        self.message = message
        self.ordinal = ordinal
        self.size_bytes = len(message.frame) + MESSAGE_OVERHEAD_BYTES
        self.deliveries = 0


class Owner(Protocol):
    """What a subscription needs of its broker."""

    queue_bytes: int
    serial: bool
    now: Callable[[], float]
    on_room: Callable[[], None]

    def give_up(self, subscription: Subscription, publication: Publication, cause: Cause) -> None:
        """Take a message that the subscription will not get."""

    def ended(self, subscription: Subscription, left: Sequence[Delivery]) -> None:
        """Take what the subscription left."""


def retry_delay_seconds(deliveries: int) -> float:
    """Return the pause after the given number of deliveries: 0.1 s doubling up to 5 s."""
    return min(RETRY_CAP_SECONDS, RETRY_BASE_SECONDS * 2.0 ** (deliveries - 1))


class Subscription:
    """One subscriber. `wake` is called whenever there may be something to take, and at the end.

    `began` is how many messages had been published before; `end_reason` is None while it is in force.
    """

    def __init__(
        self, owner: Owner, options: SubscriptionOptions, wake: Callable[[], None], *, began: int
    ) -> None:
        self.options = options
        self.began = began
        self.end_reason: EndReason | None = None
        self._owner = owner
        self._wake = wake
        self._waiting: deque[Delivery] = deque()
        self._retries: list[tuple[float, int, Delivery]] = []  # a heap by time due
        self._unanswered: dict[str, list[Delivery]] = {}
        self._held_bytes = 0
        self._progress_at = owner.now()

    @property
    def held_bytes(self) -> int:
        """Bytes of the messages that wait, were not answered yet, or pause before a redelivery."""
        return self._held_bytes

    @property
    def full(self) -> bool:
        """Whether the topic has to wait for this subscription."""
        return self.overfull or (self._owner.serial and self._held_bytes > 0)

    @property
    def overfull(self) -> bool:
        """Whether the queue has no room, for dead letters either."""
        return self._held_bytes >= self._owner.queue_bytes

    @property
    def progress_at(self) -> float:
        """When the subscription last answered, or became full."""
        return self._progress_at

    def is_same_reader(self, other: SubscriptionOptions) -> bool:
        """Whether a subscription with these options reads for the same program."""
        return self.options.app_id == other.app_id and self.options.raw == other.raw

    def take(self, most_bytes: int | None = None) -> Message | None:
        """Return the next message to deliver, None when there is none now.

        A redelivery that is due goes before what waits. A serial broker has one message at a time under way,
        and what waits for a redelivery counts as such. One of more than `most_bytes` is left where it is.
        """
        while not (self._owner.serial and self._unanswered):
            due = bool(self._retries) and self._retries[0][0] <= self._owner.now()
            if due:
                delivery = self._retries[0][2]
            elif self._waiting and not (self._owner.serial and self._retries):
                delivery = self._waiting[0]
            else:
                return None
            if most_bytes is not None and len(delivery.message.frame) > most_bytes:
                return None
            if due:
                heapq.heappop(self._retries)
            else:
                self._waiting.popleft()
            message = delivery.message
            if message.expires_at is not None and message.expires_at <= self._owner.now():
                self._give_up(delivery, Cause.EXPIRED)
                continue
            delivery.deliveries += 1
            self._unanswered.setdefault(message.id, []).append(delivery)
            return message
        return None

    def next_retry_at(self) -> float | None:
        """Return when the next redelivery is due, by the broker's clock."""
        return self._retries[0][0] if self._retries else None

    def answer(self, event_id: str, ack: Ack) -> bool:
        """Settle the oldest unanswered message of that id; False when there is none."""
        same_id = self._unanswered.get(event_id)
        if same_id is None:
            return False
        self._progress_at = self._owner.now()
        delivery = same_id.pop(0)
        if not same_id:
            del self._unanswered[event_id]
        if ack is Ack.SUCCESS:
            self._release(delivery)
        elif ack is Ack.DROP:
            self._give_up(delivery, Cause.DROPPED)
        elif delivery.deliveries >= MAX_DELIVERIES:
            self._give_up(delivery, Cause.RETRIES)
        else:
            due = self._owner.now() + retry_delay_seconds(delivery.deliveries)
            heapq.heappush(self._retries, (due, delivery.ordinal, delivery))
        if self._retries or self._owner.serial:
            self._wake()
        return True

    def end(self, reason: EndReason = EndReason.CLIENT) -> None:
        """End it; what it did not answer goes to one that came later, or is gone. Later calls do nothing."""
        if self.end_reason is not None:
            return
        self.end_reason = reason
        left = [delivery for same_id in self._unanswered.values() for delivery in same_id]
        left += (delivery for _due, _ordinal, delivery in self._retries)
        left += self._waiting
        left.sort(key=lambda delivery: delivery.ordinal)
        self._unanswered.clear()
        self._retries.clear()
        self._waiting.clear()
        self._held_bytes = 0
        self._owner.ended(self, left)
        self._wake()

    def push(self, delivery: Delivery) -> None:
        """Queue a delivery."""
        was_full = self.full
        self._held_bytes += delivery.size_bytes
        if self.full and not was_full:
            self._progress_at = self._owner.now()
        self._waiting.append(delivery)
        self._wake()

    def inherit(self, deliveries: Sequence[Delivery]) -> None:
        """Put deliveries of an ended subscription before what waits."""
        self._held_bytes += sum(delivery.size_bytes for delivery in deliveries)
        self._progress_at = self._owner.now()
        self._waiting.extendleft(reversed(deliveries))
        self._wake()

    def _release(self, delivery: Delivery) -> None:
        was_full = self.full
        self._held_bytes -= delivery.size_bytes
        if was_full and not self.full:
            self._owner.on_room()

    def _give_up(self, delivery: Delivery, cause: Cause) -> None:
        self._release(delivery)
        self._owner.give_up(self, delivery.publication, cause)
