"""Edits of the settings file while a run goes on: noticed, and told apart. Pure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from virtufin_examples.client import FeedSettings
from virtufin_examples.errors import InvalidInputError

LOOK_SECONDS = 0.5

Signature = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class SymbolsChanged:
    """A change that was made; `connections` and `workers` are how many there are now.

    `unchecked` says why nobody could be asked whether the new symbols exist.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    connections: int
    workers: int
    unchecked: str = ""


def signature_of(path: Path) -> Signature | None:
    """Return what changes when a file is saved; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Saves:
    """Tells that a file was saved once it has stayed the same for one more look: editors write in steps.

    What is there at first counts as saved: nobody knows whether it is what was read before.
    """

    def __init__(self) -> None:
        self._told: Signature | None = None
        self._seen: Signature | None = None

    def look(self, now: Signature | None) -> bool:
        """Return whether it is to be read now."""
        settled = now == self._seen
        self._seen = now
        if not settled or now == self._told:
            return False
        self._told = now
        return True


def symbol_changes(
    before: FeedSettings, after: FeedSettings, *, where: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the symbols that are added and those that are removed.

    `InvalidInputError` names the first other field that differs: that needs another run.
    """
    for field in dataclasses.fields(FeedSettings):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if field.name != "symbols" and old != new:
            raise InvalidInputError(
                f"{where}: {field.name} is {new!r} and was {old!r}: only symbols can change while it runs",
                hint=f"put {old!r} back, or end the run and start it anew",
            )
    added = tuple(symbol for symbol in after.symbols if symbol not in before.symbols)
    removed = tuple(symbol for symbol in before.symbols if symbol not in after.symbols)
    return added, removed
