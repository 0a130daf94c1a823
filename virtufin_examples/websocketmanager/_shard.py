"""Which of several WebSocketManagers on one machine has a connection: its id says it. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Self

from virtufin_examples.errors import InvalidInputError

MAX_SHARDS = 64
_MARK = ".s"
_NUMBERS = frozenset(map(str, range(1, MAX_SHARDS + 1)))


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` processes; the numbers start at 1.

    The first one names its connections, and keeps their list, as a WebSocketManager without shards does: a
    platform that grows keeps its connections, each where it is.
    """

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `2/4`, the second of four."""
        number, _, count = text.partition("/")
        if number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count) <= MAX_SHARDS:
            return cls(int(number), int(count))
        raise InvalidInputError(f"shard is {text!r}", hint=f"2/4 is the second of four; at most {MAX_SHARDS}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def new_id(self) -> str:
        """Return the id of a new connection of this shard."""
        return uuid.uuid4().hex + (f"{_MARK}{self.number}" if self.number > 1 else "")

    def part(self, name: str) -> str:
        """Return the name of what is this shard's alone, beside those of the others."""
        return ".".join(filter(None, (name, f"shard-{self.number}"))) if self.number > 1 else name


def shard_of(connection_id: str) -> int:
    """Return the number of the shard that opened a connection."""
    _, mark, number = connection_id.rpartition(_MARK)
    return int(number) if mark and number in _NUMBERS else 1
