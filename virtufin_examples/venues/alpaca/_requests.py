"""What a client sends: authentication, subscriptions, the trading stream's listen."""

from __future__ import annotations

from collections.abc import Iterable

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca._codec import WireEncoding, encode
from virtufin_examples.venues.alpaca._endpoints import TRADE_UPDATES, check_channel


def auth_message(key: str, secret: str, *, encoding: WireEncoding = WireEncoding.JSON) -> bytes:
    """Return the authentication message of all streams, trading included.

    Both may be references (`${secret:alpaca/key}`), which need JSON: msgpack writes lengths.
    """
    return encode({"action": "auth", "key": key, "secret": secret}, encoding)


def subscribe_message(
    channel: str, symbols: Iterable[str], *, encoding: WireEncoding = WireEncoding.JSON
) -> bytes:
    """Return the message that adds symbols (`*` for all) to a channel.

    For `trade_updates` it is the trading stream's `listen`, which takes no symbols.
    Raises `InvalidInputError` for an unknown channel and for no symbols.
    """
    return _change("subscribe", channel, symbols, encoding)


def unsubscribe_message(
    channel: str, symbols: Iterable[str], *, encoding: WireEncoding = WireEncoding.JSON
) -> bytes:
    """Return the message that takes symbols off a channel; for `trade_updates` it listens to nothing."""
    return _change("unsubscribe", channel, symbols, encoding)


def _change(action: str, channel: str, symbols: Iterable[str], encoding: WireEncoding) -> bytes:
    check_channel(channel)
    names = list(symbols)
    if channel == TRADE_UPDATES:
        streams = [TRADE_UPDATES] if action == "subscribe" else []
        return encode({"action": "listen", "data": {"streams": streams}}, encoding)
    if not names:
        raise InvalidInputError(f'symbols: none given for channel "{channel}"', hint='name some, or "*"')
    return encode({"action": action, channel: names}, encoding)
