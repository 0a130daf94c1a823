"""Reading a topic: every frame in order, or an item that says what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from virtufin_examples.client._api import ApiClient
from virtufin_examples.client._blocking import BlockingSubscription
from virtufin_examples.client._sidecar import SidecarFinder, own_app_id
from virtufin_examples.client._subscription import Subscription
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames import SILENT_NS, WINDOW_BYTES, WINDOW_NS, Merger

__all__ = ["Subscription", "subscribe", "subscribe_blocking"]

_NS_PER_SECOND = 1_000_000_000


def subscribe(
    topic: str | Sequence[str],
    *,
    dapr: str | None = None,
    app_id: str | None = None,
    api: ApiClient | str | None = None,
    window_seconds: float = WINDOW_NS / _NS_PER_SECOND,
    window_bytes: int = WINDOW_BYTES,
    silent_seconds: float = SILENT_NS / _NS_PER_SECOND,
    late: bool = False,
    after: Mapping[str, int] | None = None,
) -> Subscription:
    """Return a subscription, for `async with`, that starts with the first frame it is given.

    `topic` is a name or a list of names: one iterator for all of them, whose items name their topic. Windows,
    silence and numbers are each topic's own.

    `dapr` is the sidecar, `host:port`; else `DAPR_GRPC_ENDPOINT` or `DAPR_GRPC_PORT` name it, else the
    gateway does: `api` (a client or an address), `VIRTUFIN_API_URL`, or the one on this machine. `app_id` is
    the embedded runtime's name for this reader, unique per process by default: readers of one app id would
    share the frames among them.

    A hole is waited for `window_seconds`, or until `window_bytes` are held behind it, and is then a `Gap`;
    with `late` what comes after its gap is yielded as `Late`. After `silent_seconds` without message or
    heartbeat comes one `Silent`. `after` is the `place` of an earlier run of the program, by connection the
    number of the last item that it had handled: what is up to it is dropped as a repeat, and what is missing
    behind it is a `Gap`. Entering it raises
    `UnavailableError` where there is no Dapr, naming what to set.
    """
    for name, value in (("window_seconds", window_seconds), ("silent_seconds", silent_seconds)):
        if value < 0:
            raise InvalidInputError(f"{name} is {value!r}, below 0")
    place = dict(after or {})
    for connection_id, sequence in place.items():
        if sequence < 0:
            raise InvalidInputError(
                f"after: connection {connection_id} has {sequence!r}, below 0",
                hint="give the number of the last item handled; 0 when there was none",
            )
    topics = (topic,) if isinstance(topic, str) else tuple(dict.fromkeys(topic))
    if not topics or not all(topics):
        raise InvalidInputError(f"topic is {topic!r}", hint="give the name of a topic, or a list of names")
    mergers = {
        name: Merger(
            name,
            now_ns=0,
            window_ns=int(window_seconds * _NS_PER_SECOND),
            window_bytes=window_bytes,
            silent_ns=int(silent_seconds * _NS_PER_SECOND),
            late=late,
            after=place,
        )
        for name in topics
    }
    return Subscription(mergers, SidecarFinder(dapr, api), app_id or own_app_id(), place)


def subscribe_blocking(
    topic: str | Sequence[str],
    *,
    dapr: str | None = None,
    app_id: str | None = None,
    api: str | None = None,
    window_seconds: float = WINDOW_NS / _NS_PER_SECOND,
    window_bytes: int = WINDOW_BYTES,
    silent_seconds: float = SILENT_NS / _NS_PER_SECOND,
    late: bool = False,
    after: Mapping[str, int] | None = None,
) -> BlockingSubscription:
    """Return the same as a plain iterator, for programs without asyncio; it runs in a thread of its own.

    See `subscribe`. It starts with the first item that is asked for, or on entering it: `with` also ends it.
    """
    return BlockingSubscription(
        lambda: subscribe(
            topic,
            dapr=dapr,
            app_id=app_id,
            api=api,
            window_seconds=window_seconds,
            window_bytes=window_bytes,
            silent_seconds=silent_seconds,
            late=late,
            after=after,
        )
    )
