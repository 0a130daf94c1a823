"""One topic over several partitions of a broker: which of them a connection's messages go to. Pure."""

from __future__ import annotations

import functools
import itertools
import zlib
from dataclasses import dataclass

from virtufin_examples.errors import PreconditionError

MAX_PARTITIONS = 64
PARTITIONED = "pubsub.kafka"
"""The component of Dapr whose topics have partitions that a message's metadata choose."""

_FNV_START = 0x811C9DC5
_FNV_PRIME = 0x01000193
_SIGN = 1 << 31
_RANGE = 1 << 32


@dataclass(frozen=True, slots=True)
class Partition:
    """The `number`th of the `count` partitions of a topic, from 0; the topic itself where there is one."""

    topic: str
    number: int = 0
    count: int = 1

    @property
    def metadata(self) -> dict[str, str]:
        """What to publish with, so that Kafka's component takes this partition."""
        return {"partitionKey": partition_key(self.number, self.count)} if self.count > 1 else {}

    def part(self, name: str) -> str:
        """Return the name of what is this partition's alone, beside the topic's other ones."""
        return f"{name}/{self.number}" if self.count > 1 else name


def partition_of(topic: str, connection_id: str, count: int) -> Partition:
    """Return the partition of a connection, the same in every process."""
    return Partition(topic, zlib.crc32(connection_id.encode()) % count, count)


def require_partitions(count: int, component: str, component_type: str) -> None:
    """Raise `PreconditionError` for several partitions on a broker that has none."""
    if count > 1 and component_type != PARTITIONED:
        raise PreconditionError(
            f"VIRTUFIN_TOPIC_PARTITIONS is {count}, but component {component!r} is {component_type}, "
            "whose topics have no partitions",
            hint=f"leave it at 1, or take a component of type {PARTITIONED}",
        )


@functools.cache
def partition_key(number: int, count: int) -> str:
    """Return a key that Kafka's component puts into partition `number` of a topic that has `count`.

    It takes the remainder of the key's FNV-1a hash, as a signed number without its sign (Sarama's hash
    partitioner). With another number of partitions a key still always goes to the same one.
    """
    return next(key for key in map(str, itertools.count()) if _hashed(key) % count == number)


def _hashed(key: str) -> int:
    value = _FNV_START
    for byte in key.encode():
        value = (value ^ byte) * _FNV_PRIME % _RANGE
    return value if value < _SIGN else _RANGE - value
