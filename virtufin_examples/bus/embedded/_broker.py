"""The broker: topics, queues, answers, redelivery. It does no I/O, and its clock is an argument.

Delivery is that of Dapr's in-memory component, where it is kinder:

- Every subscription gets every message of its topic; what is published while nobody subscribes is gone.
- A subscription is served in order with any number of messages unanswered, up to `queue_bytes` of
  messages waiting or unanswered (the last one may exceed it). A subscription that is full blocks its
  topic: whoever publishes has to wait for room (`Broker.blocking`).
- RETRY delivers again after a pause that doubles from 0.1 s to 5 s, while newer messages go on; after 10
  deliveries the message is given up. DROP gives up at once. A message that is given up, or that expired,
  goes to the dead letter topic of the subscription when there is one, and is gone otherwise.
- A subscription that ends with messages without an answer hands those to a subscription of the same
  app id and topic that began after they were published (a reader that came back): a subscription that
  was there already has had its own copy. Otherwise they are gone.

What is gone is told to `on_lost`.
"""

from __future__ import annotations

import enum
import heapq
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from virtufin_examples.bus._port import Ack
from virtufin_examples.bus.embedded._message import Message

DEFAULT_QUEUE_BYTES = 32 * 1024 * 1024  # two of the largest messages
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


class Publication(Protocol):
    """What is published, as the subscriptions of one kind see it."""

    def view(self, *, raw: bool) -> Message | None:
        """Return the message for a subscription with or without `rawPayload`, None when it cannot be read."""

    def undecoded(self) -> Message:
        """Return the message that a dead letter topic gets when there is no view."""


@dataclass(frozen=True, slots=True)
class SubscriptionOptions:
    """What a subscriber asked for."""

    app_id: str
    topic: str
    dead_letter_topic: str = ""
    raw: bool = False


def retry_delay_seconds(deliveries: int) -> float:
    """Return the pause after the given number of deliveries: 0.1 s doubling up to 5 s."""
    return min(RETRY_CAP_SECONDS, RETRY_BASE_SECONDS * 2.0 ** (deliveries - 1))


class _Delivery:
    """A message on its way to one subscription; `ordinal` is its place among all that was published."""

    __slots__ = ("deliveries", "message", "ordinal", "size")

    def __init__(self, message: Message, ordinal: int) -> None:
        self.message = message
        self.ordinal = ordinal
        self.size = len(message.frame) + MESSAGE_OVERHEAD_BYTES
        self.deliveries = 0


class Subscription:
    """One subscriber's queue. `wake` is called whenever there may be something to take."""

    def __init__(
        self, broker: Broker, options: SubscriptionOptions, began: int, wake: Callable[[], None]
    ) -> None:
        self.options = options
        self._broker = broker
        self._began = began
        self._wake = wake
        self._waiting: deque[_Delivery] = deque()
        self._retries: list[tuple[float, int, _Delivery]] = []  # a heap by time due
        self._unanswered: dict[str, list[_Delivery]] = {}
        self._held_bytes = 0
        self.ended = False

    @property
    def held_bytes(self) -> int:
        """Bytes of the messages that wait, were not answered yet, or pause before a redelivery."""
        return self._held_bytes

    @property
    def full(self) -> bool:
        """Whether the topic has to wait for this subscription."""
        return self._held_bytes >= self._broker.queue_bytes

    def take(self) -> Message | None:
        """Return the next message to deliver, None when there is none now.

        A redelivery that is due goes before what waits.
        """
        while True:
            if self._retries and self._retries[0][0] <= self._broker.now():
                delivery = heapq.heappop(self._retries)[2]
            elif self._waiting:
                delivery = self._waiting.popleft()
            else:
                return None
            message = delivery.message
            if message.expires_at is not None and message.expires_at <= self._broker.now():
                self._give_up(delivery, Cause.EXPIRED)
                continue
            delivery.deliveries += 1
            self._unanswered.setdefault(message.id, []).append(delivery)
            return message

    def next_retry_at(self) -> float | None:
        """Return when the next redelivery is due, by the broker's clock."""
        return self._retries[0][0] if self._retries else None

    def answer(self, event_id: str, ack: Ack) -> bool:
        """Settle the oldest unanswered message of that id; False when there is none."""
        same_id = self._unanswered.get(event_id)
        if same_id is None:
            return False
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
            due = self._broker.now() + retry_delay_seconds(delivery.deliveries)
            heapq.heappush(self._retries, (due, delivery.ordinal, delivery))
            self._wake()
        return True

    def end(self) -> None:
        """End the subscription; what it did not answer goes to one that came later, or is gone."""
        if self.ended:
            return
        self.ended = True
        self._broker.forget(self)
        left = sorted(
            itertools.chain(*self._unanswered.values(), (retry[2] for retry in self._retries), self._waiting),
            key=lambda delivery: delivery.ordinal,
        )
        self._unanswered.clear()
        self._retries.clear()
        self._waiting.clear()
        self._held_bytes = 0
        self._broker.hand_over(self, left)
        self._wake()

    def push(self, delivery: _Delivery) -> None:
        """Queue a delivery (the broker's)."""
        self._held_bytes += delivery.size
        self._waiting.append(delivery)
        self._wake()

    def inherit(self, deliveries: list[_Delivery]) -> None:
        """Put deliveries of an ended subscription before what waits (the broker's)."""
        self._held_bytes += sum(delivery.size for delivery in deliveries)
        self._waiting.extendleft(reversed(deliveries))
        self._wake()

    def began_after(self, ordinal: int) -> bool:
        """Whether what has that ordinal was published before this subscription."""
        return self._began > ordinal

    def _release(self, delivery: _Delivery) -> None:
        was_full = self.full
        self._held_bytes -= delivery.size
        if was_full and not self.full:
            self._broker.on_room()

    def _give_up(self, delivery: _Delivery, cause: Cause) -> None:
        self._release(delivery)
        self._broker.give_up(self, delivery.message, cause)


class Broker:
    """All topics.

    `clock` counts seconds from any start. `on_room` is called when a full subscription has room again,
    `on_lost` for every message that a subscription will not get any more, unless a dead letter topic
    takes it.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        on_room: Callable[[], None],
        on_lost: Callable[[SubscriptionOptions, str, Cause], None],
        queue_bytes: int = DEFAULT_QUEUE_BYTES,
    ) -> None:
        self.now = clock
        self.on_room = on_room
        self.queue_bytes = queue_bytes
        self._on_lost = on_lost
        self._topics: dict[str, list[Subscription]] = {}
        self._published = 0

    @property
    def subscriptions(self) -> list[Subscription]:
        """All subscriptions in force."""
        return [subscription for topic in self._topics.values() for subscription in topic]

    def subscribe(self, options: SubscriptionOptions, wake: Callable[[], None]) -> Subscription:
        """Return a new subscription, which gets what is published from now on."""
        subscription = Subscription(self, options, self._published + 1, wake)
        self._topics.setdefault(options.topic, []).append(subscription)
        return subscription

    def blocking(self, topic: str) -> Subscription | None:
        """Return a subscription that has no room, None when the topic may be published to."""
        for subscription in self._topics.get(topic, ()):
            if subscription.full:
                return subscription
        return None

    def publish(self, topic: str, publication: Publication) -> None:
        """Queue a message for every subscription of the topic."""
        self._published += 1
        for subscription in tuple(self._topics.get(topic, ())):
            message = publication.view(raw=subscription.options.raw)
            if message is None:
                self.give_up(subscription, publication.undecoded(), Cause.UNDECODABLE)
            else:
                subscription.push(_Delivery(message, self._published))

    def forget(self, subscription: Subscription) -> None:
        """Take a subscription that ended off its topic."""
        topic = self._topics[subscription.options.topic]
        topic.remove(subscription)
        if not topic:
            del self._topics[subscription.options.topic]
        self.on_room()

    def hand_over(self, ended: Subscription, left: list[_Delivery]) -> None:
        """Give what an ended subscription left to the first that came after it was published."""
        options = ended.options
        heirs = [heir for heir in self._topics.get(options.topic, ()) if _same_reader(heir.options, options)]
        inherited: dict[Subscription, list[_Delivery]] = {}
        for delivery in left:
            heir = next((heir for heir in heirs if heir.began_after(delivery.ordinal)), None)
            if heir is not None:
                inherited.setdefault(heir, []).append(delivery)
            elif not heirs:
                self._on_lost(options, delivery.message.id, Cause.ENDED)
        for heir, deliveries in inherited.items():
            heir.inherit(deliveries)

    def give_up(self, subscription: Subscription, message: Message, cause: Cause) -> None:
        """Send a message to the dead letter topic of its subscription, or report it lost."""
        options = subscription.options
        if not options.dead_letter_topic:
            self._on_lost(options, message.id, cause)
            return
        letter = message.on_topic(options.dead_letter_topic)
        self._published += 1
        for reader in tuple(self._topics.get(options.dead_letter_topic, ())):
            if reader.full:
                self._on_lost(reader.options, message.id, Cause.DEAD_LETTER_FULL)
            else:
                reader.push(_Delivery(letter, self._published))


def _same_reader(left: SubscriptionOptions, right: SubscriptionOptions) -> bool:
    return left.app_id == right.app_id and left.raw == right.raw
