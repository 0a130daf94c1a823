"""What is sent after each connect: remembered in order, with references in place of secrets. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from virtufin_examples.errors import ResourceLimitError

HANDSHAKE_BYTES = 1024 * 1024
HANDSHAKE_MESSAGES = 1000


@dataclass(frozen=True, slots=True)
class HandshakeMessage:
    """One message of the handshake.

    `secrets` says that `${secret:name/entry}` in it is resolved at each send, `json` that what is put there
    must be escaped for a JSON string.
    """

    payload: bytes
    binary: bool = False
    secrets: bool = False
    json: bool = False


class Handshake:
    """The remembered messages of one connection, at most 1 MiB and 1000."""

    def __init__(self, messages: tuple[HandshakeMessage, ...] = ()) -> None:
        self._messages = messages

    @property
    def messages(self) -> tuple[HandshakeMessage, ...]:
        """In the order in which they are replayed."""
        return self._messages

    @property
    def restorable(self) -> bool:
        """Whether it may be written down: a message sent verbatim could hold a key, so it may not."""
        return all(message.secrets for message in self._messages)

    def require_room(self, message: HandshakeMessage) -> None:
        """Raise `ResourceLimitError` when one more message would be too much."""
        size = sum(len(each.payload) for each in self._messages) + len(message.payload)
        if size > HANDSHAKE_BYTES or len(self._messages) >= HANDSHAKE_MESSAGES:
            raise ResourceLimitError(
                f"the handshake would hold {len(self._messages) + 1} messages of {size} bytes, "
                f"at most {HANDSHAKE_MESSAGES} of {HANDSHAKE_BYTES} are replayed",
                hint='send it with "replay": false',
            )

    def add(self, message: HandshakeMessage) -> None:
        """Remember a message; raises `ResourceLimitError` when it is too much."""
        self.require_room(message)
        self._messages = (*self._messages, message)


def joins_handshake(replay: bool | None, *, auto_reconnect: bool, published: bool) -> bool:  # noqa: FBT001 - the flag as it was given
    """Return whether a message is remembered: by default what came before the first `publish`."""
    if not auto_reconnect:
        return False
    return not published if replay is None else replay
