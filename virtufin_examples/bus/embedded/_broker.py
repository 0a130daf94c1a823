"""The broker: topics and their subscriptions. It does no I/O, and its clock is an argument.

Delivery is that of Dapr's in-memory component, where it is kinder:

- Every subscription gets every message of its topic; what is published while nobody subscribes is gone.
- A subscription is served in order with any number of messages unanswered, up to `queue_bytes` of
  messages waiting or unanswered (the last one may exceed it). A subscription that is full blocks its
  topic: whoever publishes has to wait for room (`Broker.blocking`). One that stays full for 30 s without
  answering anything is ended, so that it cannot hold the topic for ever.
- RETRY delivers again after a pause that doubles from 0.1 s to 5 s, while newer messages go on; after 10
  deliveries the message is given up. DROP gives up at once. A message that is given up, or that expired,
  goes to the dead letter topic of the subscription when there is one, and is gone otherwise.
- A subscription that ends with messages without an answer hands those to a subscription of the same
  app id and topic that began after they were published (a reader that came back): a subscription that
  was there already has had its own copy. Otherwise they are gone.

What is gone is told to `on_lost`.

A serial broker is not kinder than Dapr's component: a subscription has one message under way, a RETRY holds
up what follows, and whoever publishes waits for every subscriber of the topic, however long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from virtufin_examples.bus.embedded._publication import Publication
from virtufin_examples.bus.embedded._subscription import (
    Cause,
    Delivery,
    EndReason,
    Subscription,
    SubscriptionOptions,
)

DEFAULT_QUEUE_BYTES = 32 * 1024 * 1024  # two of the largest messages
STALL_SECONDS = 30.0

OnLost = Callable[[SubscriptionOptions, Cause, int], None]


class Broker:
    """All topics.

    `clock` counts seconds from any start. `on_room` is called when a topic may have room again, `on_lost`
    with how many messages a subscription will not get any more, unless a dead letter topic takes them.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        on_room: Callable[[], None],
        on_lost: OnLost,
        queue_bytes: int = DEFAULT_QUEUE_BYTES,
        serial: bool = False,
    ) -> None:
        self.now = clock
        self.serial = serial
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
        subscription = Subscription(self, options, wake, began=self._published)
        self._topics.setdefault(options.topic, []).append(subscription)
        return subscription

    def blocking(self, topic: str) -> Subscription | None:
        """Return a subscription that has no room, None when the topic may be published to.

        Those that stand still are ended, save by a serial broker.
        """
        full = [subscription for subscription in self._topics.get(topic, ()) if subscription.full]
        if not full:
            return None
        if self.serial:
            return full[0]
        latest = self.now() - STALL_SECONDS
        for subscription in full:
            if subscription.progress_at > latest:
                return subscription
            subscription.end(EndReason.STALLED)
        return None

    def publish(self, topic: str, publication: Publication) -> None:
        """Queue a message for every subscription of the topic."""
        self._published += 1
        for subscription in tuple(self._topics.get(topic, ())):
            message = publication.view(raw=subscription.options.raw, http=subscription.options.http)
            if message is None:
                self.give_up(subscription, publication, Cause.UNDECODABLE)
            else:
                subscription.push(Delivery(publication, message, self._published))

    def give_up(self, subscription: Subscription, publication: Publication, cause: Cause) -> None:
        """Send a message to the dead letter topic of its subscription, or report it lost."""
        options = subscription.options
        readers = self._topics.get(options.dead_letter_topic, ()) if options.dead_letter_topic else ()
        if not readers:
            self._on_lost(options, cause, 1)
            return
        letter = publication.dead_letter(options.dead_letter_topic)
        self._published += 1
        for reader in tuple(readers):
            message = letter.view(raw=reader.options.raw, http=reader.options.http)
            if message is None:
                self._on_lost(reader.options, Cause.UNDECODABLE, 1)
            elif reader.overfull:
                self._on_lost(reader.options, Cause.DEAD_LETTER_FULL, 1)
            else:
                reader.push(Delivery(letter, message, self._published))

    def ended(self, subscription: Subscription, left: Sequence[Delivery]) -> None:
        """Take a subscription off its topic and hand over what it left, oldest first."""
        options = subscription.options
        topic = self._topics[options.topic]
        topic.remove(subscription)
        if not topic:
            del self._topics[options.topic]
        heirs = [heir for heir in topic if heir.is_same_reader(options)]
        inherited: dict[Subscription, list[Delivery]] = {}
        lost = 0
        for delivery in left:
            heir = next((heir for heir in heirs if heir.began >= delivery.ordinal), None)
            if heir is not None:
                inherited.setdefault(heir, []).append(delivery)
            elif not heirs:
                lost += 1
        for heir, deliveries in inherited.items():
            heir.inherit(deliveries)
        if lost:
            self._on_lost(options, Cause.ENDED, lost)
        self.on_room()
