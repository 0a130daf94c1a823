"""What an app subscribes to, as it says itself or as a file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from virtufin_examples.bus.embedded._message import PUBSUB_NAME
from virtufin_examples.bus.embedded._metadata import is_raw, lower_names
from virtufin_examples.bus.embedded._subscription import SubscriptionKind
from virtufin_examples.errors import InvalidInputError

DEFAULT_BULK_MESSAGES = 100
DEFAULT_BULK_AWAIT_MS = 1000


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """How many messages go to the app at once, and how long the first of them waits for the others."""

    max_messages: int = DEFAULT_BULK_MESSAGES
    max_await_seconds: float = DEFAULT_BULK_AWAIT_MS / 1000


@dataclass(frozen=True, slots=True)
class AppSubscription:
    """One topic of the app: `path` is that of the HTTP request or of the gRPC event."""

    topic: str
    path: str
    kind: SubscriptionKind
    dead_letter_topic: str = ""
    raw: bool = False
    bulk: BulkOptions | None = None


class RuleEntry(msgspec.Struct):
    """A routing rule; a match is a CEL expression."""

    match: str = ""
    path: str = ""


class RoutesEntry(msgspec.Struct):
    """Where the events of a topic go."""

    rules: list[RuleEntry] | None = None
    default: str = ""


class BulkEntry(msgspec.Struct, rename="camel"):
    """The wish to get several events at once; 0 stands for daprd's default."""

    enabled: bool = False
    max_messages_count: int = 0
    max_await_duration_ms: int = 0


class SubscriptionEntry(msgspec.Struct):
    """A subscription as apps and files write it: `route` of v1alpha1, `routes` of v2alpha1."""

    pubsubname: str = ""
    topic: str = ""
    metadata: dict[str, str] | None = None
    route: str = ""
    routes: RoutesEntry | None = None
    dead_letter_topic: str = msgspec.field(default="", name="deadLetterTopic")
    bulk_subscribe: BulkEntry | None = msgspec.field(default=None, name="bulkSubscribe")


def app_subscription(entry: SubscriptionEntry, kind: SubscriptionKind, source: str) -> AppSubscription:
    """Return the subscription; its path is empty when the entry names none.

    Raises `InvalidInputError`, which begins with `source`, for what the runtime has not: another pub/sub
    component, and rules that match by an expression.
    """
    if entry.pubsubname != PUBSUB_NAME:
        raise InvalidInputError(
            f"{source}: pubsubname is {entry.pubsubname!r}", hint=f"the embedded runtime has {PUBSUB_NAME!r}"
        )
    if not entry.topic:
        raise InvalidInputError(f"{source}: a subscription names no topic")
    metadata: Mapping[str, str] = entry.metadata or {}
    return AppSubscription(
        entry.topic,
        _path(entry, source),
        kind,
        entry.dead_letter_topic,
        is_raw(lower_names(metadata)),
        _bulk(entry.bulk_subscribe, source),
    )


def _path(entry: SubscriptionEntry, source: str) -> str:
    routes = entry.routes or RoutesEntry()
    for rule in routes.rules or ():
        if rule.match.strip():
            raise InvalidInputError(
                f"{source}: the subscription to topic {entry.topic!r} has a rule that matches {rule.match!r}",
                hint="the embedded runtime evaluates no expressions: give one route for the topic and look at"
                " the event there, or run it on daprd",
            )
        return rule.path
    return routes.default or entry.route


def _bulk(entry: BulkEntry | None, source: str) -> BulkOptions | None:
    if entry is None or not entry.enabled:
        return None
    if entry.max_messages_count < 0 or entry.max_await_duration_ms < 0:
        raise InvalidInputError(
            f"{source}: bulkSubscribe has maxMessagesCount {entry.max_messages_count} and maxAwaitDurationMs"
            f" {entry.max_await_duration_ms}",
            hint="neither may be negative; 0 stands for the default",
        )
    return BulkOptions(
        entry.max_messages_count or DEFAULT_BULK_MESSAGES,
        (entry.max_await_duration_ms or DEFAULT_BULK_AWAIT_MS) / 1000,
    )
