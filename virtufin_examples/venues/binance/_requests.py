"""What a client sends: changes of its subscription, each with an id that the answer repeats."""

from __future__ import annotations

from collections.abc import Iterable

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.binance._codec import encode
from virtufin_examples.venues.binance._streams import check_streams

SUBSCRIBE = "SUBSCRIBE"
UNSUBSCRIBE = "UNSUBSCRIBE"
LIST_SUBSCRIPTIONS = "LIST_SUBSCRIPTIONS"


def subscribe_message(streams: Iterable[str], request_id: int) -> bytes:
    """Return the message that adds streams. USD-M futures take whole numbers as ids, spot short text too."""
    return _change(SUBSCRIBE, streams, request_id)


def unsubscribe_message(streams: Iterable[str], request_id: int) -> bytes:
    """Return the message that takes streams off."""
    return _change(UNSUBSCRIBE, streams, request_id)


def list_message(request_id: int) -> bytes:
    """Return the message that asks which streams are subscribed to."""
    return encode({"method": LIST_SUBSCRIPTIONS, "id": request_id})


def _change(method: str, streams: Iterable[str], request_id: int) -> bytes:
    names = list(streams)
    if not names:
        raise InvalidInputError("streams: none given", hint='such as "btcusdt@depth@100ms"')
    check_streams(names)
    return encode({"method": method, "params": names, "id": request_id})
