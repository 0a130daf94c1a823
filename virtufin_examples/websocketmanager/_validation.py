"""Input of the RPCs, refused with the field, the value seen and the fix (architecture, invariant 8)."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from virtufin_examples.connections import HandshakeMessage, url_template
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames import Encoding, Markers, Overflow
from virtufin_examples.websocketmanager._source import PublishOptions

MAX_TAGS = 50
MAX_TAG_KEY_CHARS = 128
MAX_TAG_VALUE_CHARS = 1024
MAX_URL_CHARS = 4096
MAX_TOPIC_CHARS = 255
MAX_SEND_BYTES = 1024 * 1024
"""Largest message to a peer: handshakes and subscriptions; a venue takes far less (Alpaca 32 KiB a frame)."""

_Choice = TypeVar("_Choice", bound=enum.StrEnum)


def require_url(url: str) -> None:
    """Refuse what is no WebSocket URL. No message shows user info or query, which may hold keys."""
    if not url:
        raise InvalidInputError("url is missing", hint="for example wss://host/path")
    if len(url) > MAX_URL_CHARS:
        raise InvalidInputError(f"url has {len(url)} characters, at most {MAX_URL_CHARS} are taken")
    if not url.isprintable() or " " in url:
        raise InvalidInputError("url holds blanks or control characters", hint="percent-encode them")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInputError(f"url cannot be read: {error}") from error
    shown = url_template(url)
    if parts.scheme not in {"ws", "wss"}:
        raise InvalidInputError(
            f"url {shown!r} has scheme {parts.scheme!r}", hint="a WebSocket's is ws or wss"
        )
    if not parts.hostname or port == 0:
        raise InvalidInputError(f"url {shown!r} names no host to connect to")
    if "@" in parts.netloc:
        raise InvalidInputError(
            f"url {shown!r} carries user info", hint='send keys by send_raw with "secrets": true'
        )
    if parts.fragment:
        raise InvalidInputError(f"url {shown!r} has a fragment, which a WebSocket URL may not (RFC 6455, 3)")


def require_tags(tags: Mapping[str, str]) -> None:
    """Refuse too many, too long or nameless tags."""
    if len(tags) > MAX_TAGS:
        raise InvalidInputError(f"tags: {len(tags)} given, at most {MAX_TAGS} are kept")
    for key, value in tags.items():
        if not key:
            raise InvalidInputError(f"tags: the key of value {value!r} is empty")
        if len(key) > MAX_TAG_KEY_CHARS:
            raise InvalidInputError(
                f"tags: key {key[:32]!r}... has {len(key)} characters, at most {MAX_TAG_KEY_CHARS} are kept"
            )
        if len(value) > MAX_TAG_VALUE_CHARS:
            raise InvalidInputError(
                f"tags: value of {key!r} has {len(value)} characters, at most {MAX_TAG_VALUE_CHARS} are kept"
            )


def is_text(content_type: str) -> bool:
    """Return whether a message of this content type goes as a text frame."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind == "application/json"


def outgoing_message(payload: bytes, content_type: str, *, secrets: bool = False) -> HandshakeMessage:
    """Return a message as it is sent, checked."""
    if not payload:
        raise InvalidInputError("message is empty")
    if len(payload) > MAX_SEND_BYTES:
        raise InvalidInputError(
            f"message has {len(payload)} bytes, at most {MAX_SEND_BYTES} are sent", hint="split it"
        )
    text = is_text(content_type)
    if text:
        try:
            payload.decode()
        except UnicodeDecodeError as error:
            raise InvalidInputError(
                f"message of content_type {content_type!r} is not UTF-8 at byte {error.start}",
                hint="send bytes as application/octet-stream",
            ) from error
    elif secrets:
        raise InvalidInputError(
            f"secrets are resolved in text only, content_type is {content_type!r}",
            hint="use application/json or text/plain",
        )
    as_json = content_type.partition(";")[0].strip().lower() == "application/json"
    return HandshakeMessage(payload, binary=not text, secrets=secrets, json=as_json)


def require_topic(topic: str) -> None:
    """Refuse what cannot be the name of a topic."""
    if not topic:
        raise InvalidInputError("topic is missing")
    if len(topic) > MAX_TOPIC_CHARS:
        raise InvalidInputError(f"topic has {len(topic)} characters, at most {MAX_TOPIC_CHARS} are taken")
    if not topic.isprintable() or any(char.isspace() for char in topic):
        raise InvalidInputError(f"topic {topic!r} holds blanks or control characters")


def publish_options(encoding: str, overflow: str, markers: str) -> PublishOptions:
    """Return the options; markers go inline by default on a `batch` topic, else to the companion topic."""
    chosen = _choice("encoding", encoding, Encoding, Encoding.FRAME)
    default = Markers.INLINE if chosen is Encoding.BATCH else Markers.COMPANION
    return PublishOptions(
        chosen,
        _choice("overflow", overflow, Overflow, Overflow.SPOOL),
        _choice("markers", markers, Markers, default),
    )


def _choice(field: str, value: str, choices: type[_Choice], default: _Choice) -> _Choice:
    if not value:
        return default
    try:
        return choices(value)
    except ValueError:
        raise InvalidInputError(
            f"{field} is {value!r}", hint="choose " + ", ".join(choice.value for choice in choices)
        ) from None
