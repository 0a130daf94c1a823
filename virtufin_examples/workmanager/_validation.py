"""What a request may hold: topic, tags, config, code source. Errors name the field, the value and the fix."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from virtufin_examples.errors import InvalidInputError

MAX_TAGS = 50
MAX_TAG_KEY_CHARACTERS = 128
MAX_TAG_VALUE_CHARACTERS = 1024
MAX_TOPIC_CHARACTERS = 256

# CloudEvents 1.0, "Context Attributes": names are lower-case letters and digits.
_ATTRIBUTE_NAME = re.compile(r"[a-z0-9]+")
_RESERVED = frozenset(
    {"data", "datacontenttype", "dataschema", "id", "source", "specversion", "subject", "time", "type"}
)


def check_topic(topic: str, topics: Sequence[str]) -> str:
    """Return the worker's topic from the field and its older spelling, a list of one."""
    if len(topics) > 1:
        raise InvalidInputError(
            f"topics: {len(topics)} entries, a worker has one topic", hint="create a worker for each topic"
        )
    if topic and topics and topics[0] != topic:
        raise InvalidInputError(
            f"topics: {topics[0]!r} is not the topic {topic!r}",
            hint="set `topic` only: `topics` is its older name",
        )
    chosen = topic or (topics[0] if topics else "")
    if not chosen:
        raise InvalidInputError("topic: empty", hint="name the topic that the worker takes its events from")
    if len(chosen) > MAX_TOPIC_CHARACTERS:
        raise InvalidInputError(
            f"topic: {len(chosen)} characters, at most {MAX_TOPIC_CHARACTERS} are allowed"
        )
    if not chosen.isprintable() or any(character.isspace() for character in chosen):
        raise InvalidInputError(
            f"topic: {chosen!r} holds a space or a control character",
            hint="use letters, digits, dots and dashes",
        )
    return chosen


def is_attribute_name(name: str) -> bool:
    """Whether a CloudEvent extension may have this name."""
    return _ATTRIBUTE_NAME.fullmatch(name) is not None and name not in _RESERVED


def check_config(config: Mapping[str, str]) -> dict[str, str]:
    """Return the config; its keys become extension attributes of events, so they must be legal names."""
    for key in config:
        if _ATTRIBUTE_NAME.fullmatch(key) is None:
            raise InvalidInputError(
                f"config: {key!r} is no CloudEvent attribute name",
                hint="use lower-case letters and digits only",
            )
        if key in _RESERVED:
            raise InvalidInputError(
                f"config: {key!r} is an attribute that every event has of its own", hint="choose another name"
            )
    return dict(config)


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags when they keep the platform's limits (50 tags, 128 and 1024 characters)."""
    if len(tags) > MAX_TAGS:
        raise InvalidInputError(f"tags: {len(tags)} tags, at most {MAX_TAGS} are allowed")
    for key, value in tags.items():
        if not key:
            raise InvalidInputError("tags: a key is empty")
        if len(key) > MAX_TAG_KEY_CHARACTERS:
            raise InvalidInputError(
                f"tags: key {key[:32]!r}... has {len(key)} characters, "
                f"at most {MAX_TAG_KEY_CHARACTERS} are allowed"
            )
        if len(value) > MAX_TAG_VALUE_CHARACTERS:
            raise InvalidInputError(
                f"tags: the value of {key!r} has {len(value)} characters, "
                f"at most {MAX_TAG_VALUE_CHARACTERS} are allowed"
            )
    return dict(tags)
