"""What a client sends: authentication, subscriptions, the trading stream's listen."""

from __future__ import annotations

from collections.abc import Iterable

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca._codec import WireEncoding, decode, encode
from virtufin_examples.venues.alpaca._endpoints import TRADE_UPDATES, check_channel

AUTH_ACTIONS = ("auth", "authenticate")
REFERENCE_START = "${secret:"


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


def check_references(payload: bytes) -> None:
    """Raise `InvalidInputError` for a reference to a secret in anything but an authentication.

    Alpaca answers with what it was asked for: a secret in a list of symbols would come back as data.
    """
    try:
        message = decode(payload)
    except InvalidInputError:
        return  # the venue's to refuse: the user sent it verbatim
    if not isinstance(message, dict) or message.get("action") in AUTH_ACTIONS:
        return
    for field, value in message.items():
        if REFERENCE_START in str(value):
            raise InvalidInputError(
                f"message: {field} holds a reference to a secret, and Alpaca sends back what it is asked for",
                hint="write the value; only key and secret of an auth message may be references",
            )


def _change(action: str, channel: str, symbols: Iterable[str], encoding: WireEncoding) -> bytes:
    check_channel(channel)
    names = list(symbols)
    if channel == TRADE_UPDATES:
        streams = [TRADE_UPDATES] if action == "subscribe" else []
        return encode({"action": "listen", "data": {"streams": streams}}, encoding)
    if not names:
        raise InvalidInputError(f'symbols: none given for channel "{channel}"', hint='name some, or "*"')
    return encode({"action": action, channel: names}, encoding)
