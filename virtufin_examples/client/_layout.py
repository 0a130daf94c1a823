"""Which connection and which worker serves which symbols, and what a change of symbols does to that. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from virtufin_examples.errors import InvalidInputError, ResourceLimitError


@dataclass(frozen=True, slots=True)
class Sizes:
    """Symbols a connection and connections a worker, at most; 0: no limit."""

    symbols: int = 0
    connections: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A connection with its worker and its symbols."""

    worker: str
    connection: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """What is done to one connection."""

    part: Part
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opening:
    """Connections to be opened by one worker (empty: a new one), as their symbols."""

    worker: str
    chunks: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a change does. Nothing else is touched: a symbol that stays keeps its connection.

    `unchecked` says why the venue could not be asked whether the new symbols exist; "": it was, or confirms
    only what does.
    """

    edits: tuple[Edit, ...] = ()
    openings: tuple[Opening, ...] = ()
    closed: tuple[Part, ...] = ()
    ended_workers: tuple[str, ...] = ()
    unchecked: str = ""

    @property
    def added(self) -> tuple[str, ...]:
        """The symbols that are new."""
        opened = (symbol for opening in self.openings for chunk in opening.chunks for symbol in chunk)
        return (*(symbol for edit in self.edits for symbol in edit.add), *opened)

    @property
    def removed(self) -> tuple[str, ...]:
        """The symbols that go."""
        edited = (symbol for edit in self.edits for symbol in edit.remove)
        return (*edited, *(symbol for part in self.closed for symbol in part.symbols))


def plan_change(parts: Sequence[Part], add: Sequence[str], remove: Sequence[str], sizes: Sizes) -> Plan:
    """Plan a change. What is there already is not added, what is not there is not removed.

    New symbols fill the room on connections that stay, then connections that have become empty, then new
    ones, on workers with room before new workers. `InvalidInputError` when no symbol would be left.
    """
    going = set(remove) - set(add)
    there = {symbol for part in parts for symbol in part.symbols}
    new = [symbol for symbol in dict.fromkeys(add) if symbol not in there]
    kept = [(part, [symbol for symbol in part.symbols if symbol not in going]) for part in parts]
    if parts and not new and not any(symbols for _, symbols in kept):
        raise InvalidInputError(
            "symbols: none would be left", hint="keep one, or end the feed with virtufin feed stop"
        )
    edits: list[Edit] = []
    closed: list[Part] = []
    for part, stay in sorted(kept, key=lambda each: not each[1]):  # stable: the empty ones last
        room = len(new) if not sizes.symbols else max(0, sizes.symbols - len(stay))
        taken, new = tuple(new[:room]), new[room:]
        gone = tuple(symbol for symbol in part.symbols if symbol in going)
        if not stay and not taken:
            closed.append(part)
        elif taken or gone:
            edits.append(Edit(part, taken, gone))
    remaining = [part for part in parts if part not in closed]
    workers = {part.worker for part in remaining}
    openings = _openings(new, remaining, [part.worker for part in parts if part.worker in workers], sizes)
    ended = tuple(dict.fromkeys(part.worker for part in closed if part.worker not in workers))
    return Plan(tuple(edits), openings, tuple(closed), ended)


def spread(parts: Sequence[Part], add: Sequence[str], remove: Sequence[str], most: int | None) -> Plan:
    """Plan a change that opens and closes nothing: new symbols go where there are fewest.

    `most` is what the venue allows on a connection; `ResourceLimitError` beyond it.
    """
    going = set(remove)
    there = {symbol for part in parts for symbol in part.symbols}
    stay = {part: sum(symbol not in going for symbol in part.symbols) for part in parts}
    taken: dict[Part, list[str]] = {part: [] for part in parts}
    for symbol in dict.fromkeys(add):
        if symbol in there:
            continue
        part = min(parts, key=lambda each: stay[each])
        if most is not None and stay[part] >= most:
            raise ResourceLimitError(
                f'symbols: no room for "{symbol}": {most} on each of {len(parts)} connections',
                hint="remove some, or start a second feed",
            )
        stay[part] += 1
        taken[part].append(symbol)
    if not any(stay.values()):
        raise InvalidInputError(
            "symbols: none would be left", hint="keep one, or end the feed with virtufin feed stop"
        )
    edits = (
        Edit(part, tuple(taken[part]), tuple(symbol for symbol in part.symbols if symbol in going))
        for part in parts
    )
    return Plan(tuple(edit for edit in edits if edit.add or edit.remove))


def _openings(
    symbols: Sequence[str], remaining: Sequence[Part], workers: Sequence[str], sizes: Sizes
) -> tuple[Opening, ...]:
    step = sizes.symbols or max(1, len(symbols))
    chunks = [tuple(symbols[start : start + step]) for start in range(0, len(symbols), step)]
    openings: list[Opening] = []
    for worker in (*dict.fromkeys(workers), *([""] * len(chunks))):
        if not chunks:
            break
        held = sum(part.worker == worker for part in remaining) if worker else 0
        room = len(chunks) if not sizes.connections else max(0, sizes.connections - held)
        if room:
            openings.append(Opening(worker, tuple(chunks[:room])))
            chunks = chunks[room:]
    return tuple(openings)
