"""The update ids of a whole read of depth events: what `peek` finds frame by frame, in a third of its time.

Binance writes an event of one stream like the one before. So where the first has its numbers the next have
theirs, until a number gets a digit more: they are cut out in one piece, however large the book behind them,
and those of all frames become integers in one call. Objects are made once a run.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from virtufin_examples.venues import Seen
from virtufin_examples.venues.binance._peek import peek

_FIRST, _LAST, _PREVIOUS = b'"U":', b'"u":', b'"pu":'
_INTEGERS = msgspec.json.Decoder(list[Annotated[int, msgspec.Meta(ge=0)]])


@dataclass(frozen=True, slots=True)
class _Head:
    """The bytes of an event that tell its run: they begin, close and end as said, or are of no use."""

    place: slice
    begins: bytes
    closes: bytes
    ends_before: bytes

    def require(self, head: bytes) -> None:
        name = head.removeprefix(self.begins)
        if name == head or self.closes not in name or self.ends_before in name:
            raise ValueError(head)


_COMBINED = _Head(slice(0, 53), b'{"stream":"', b'","data":', b'"E":')
_RAW = _Head(slice(36, 52), b',"s":"', b'"', b'"U":')
"""Behind the event's time, of 13 digits until the year 2286; a symbol of ten letters or more does not fit."""
_RAW_FUTURES = _Head(slice(54, 70), b',"s":"', b'"', b'"U":')
"""The same, behind the transaction's time."""


class Layouts:
    """Where the events of each stream of a connection have their numbers."""

    def __init__(self, *, combined: bool, futures: bool) -> None:
        self._head = _COMBINED if combined else _RAW_FUTURES if futures else _RAW
        self._head_of = operator.itemgetter(self._head.place)
        self._names = (_FIRST, _LAST, _PREVIOUS) if futures else (_FIRST, _LAST)
        self._places: dict[bytes, slice] = {}
        self._runs: dict[bytes, tuple[str, str]] = {}  # symbol and channel

    def stretches(self, payloads: Sequence[bytes]) -> Sequence[Seen] | None:
        """Return each run's numbers, from its first frame here to its last; None where `peek` is to be asked.

        It is to be with a frame that is no depth event or whose numbers have more digits than the last time,
        with a hole, and with numbers that fall. All events of one stream are of one symbol.
        """
        heads = list(map(self._head_of, payloads))
        try:
            firsts, lasts, *previous = self._columns(heads, payloads)
            lasts_by_head = _followed(heads, firsts, lasts, *previous)
        except ValueError:
            return None
        found: list[Seen] = []
        for head, last in lasts_by_head:
            at = heads.index(head)
            symbol, channel = self._runs[head]
            found.append(Seen(symbol, channel, firsts[at], last, previous[0][at] if previous else 0))
        return found

    def _columns(self, heads: Sequence[bytes], payloads: Sequence[bytes]) -> list[list[int]]:
        """Return what stands behind each name, frame by frame."""
        try:
            places = list(map(self._places.__getitem__, heads))
        except KeyError:
            self._learn(heads, payloads)
            places = list(map(self._places.__getitem__, heads))
        try:
            texts = b"".join([payload[place] for payload, place in zip(payloads, places, strict=True)])
            return self._integers(texts, len(payloads))
        except ValueError:
            self._places.clear()
            raise

    def _integers(self, texts: bytes, count: int) -> list[list[int]]:
        names = b"".join(self._names)
        bare = texts.translate(None, names)
        numbers = _INTEGERS.decode(b"[%b0]" % bare)
        numbers.pop()  # the 0, unless the last number was cut and took it
        columns = len(self._names)
        if len(numbers) != count * columns or len(texts) - len(bare) != count * len(names):
            raise ValueError(texts)
        return [numbers[column::columns] for column in range(columns)]

    def _learn(self, heads: Sequence[bytes], payloads: Sequence[bytes]) -> None:
        """Look at the first frame of each run that is new; `ValueError` where it is no depth event."""
        for head, payload in zip(heads, payloads, strict=True):
            if head in self._places:
                continue
            self._head.require(head)
            (seen,) = peek(payload)
            start = payload.index(_FIRST, self._head.place.start)
            end = payload.index(b",", payload.index(self._names[-1], start)) + 1
            self._places[head] = slice(start, end)
            self._runs[head] = seen.symbol, seen.channel


def _followed(
    heads: Sequence[bytes], firsts: Sequence[int], lasts: Sequence[int], previous: Sequence[int] | None = None
) -> Iterable[tuple[bytes, int]]:
    """Return each run's last number; `ValueError` where one does not go on. A number of 0 is none."""
    begins, step = (firsts, 1) if previous is None else (previous, 0)
    if not all(lasts) or (previous is not None and (0 in previous or any(map(operator.lt, lasts, previous)))):
        raise ValueError(lasts)
    nexts: dict[bytes, list[int]] = {}  # a list of one spares the second look into the dict
    for head, begin, last in zip(heads, begins, lasts, strict=True):
        due = nexts.get(head)
        if due is None:
            nexts[head] = [last + step]
        elif due[0] == begin:
            due[0] = last + step
        else:
            raise ValueError(head)
    return [(head, due[0] - step) for head, due in nexts.items()]
