"""A subscriber as a program: it writes down every item at once, and goes on where it was when it is back.

    python -m tests.dapr.counting '{"topic": ..., "dapr": ..., "book": ..., "mishap": ...}'

A mishap befalls its handler at the first frame from number 50 on: it raises at every frame from there
(raise), takes 3 s for that one (slow), or stands still for good (hang).
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from pathlib import Path

import msgspec

from tests.dapr.account import Entry
from virtufin_examples.client import Subscription, subscribe
from virtufin_examples.frames import Frame, Gap, Item, Late, Restored, Silent, Stale

MISHAP_AT = 50
SLOW_SECONDS = 3.0
_TRADE = re.compile(rb'"t":(\d+)')


class Options(msgspec.Struct, frozen=True):
    """What the program is told."""

    topic: str
    dapr: str
    book: str
    mishap: str = ""


class Book:
    """The file: a line is written by one call, so a kill leaves whole lines only."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, entry: Entry) -> None:
        """Append an entry."""
        os.write(self._file, msgspec.json.encode(entry) + b"\n")


def read_book(path: Path) -> list[Entry]:
    """Return what is in a book so far."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [msgspec.json.decode(line, type=Entry) for line in lines]


def place_in(entries: list[Entry]) -> dict[str, int]:
    """Return how far a book goes, by connection."""
    place: dict[str, int] = {}
    for entry in entries:
        if entry.connection and entry.kind != "late":
            place[entry.connection] = max(place.get(entry.connection, 0), entry.number, entry.last)
    return place


def entry_of(item: Item) -> Entry:
    """Return what is written down of an item."""
    at_ns = time.time_ns()
    match item:
        case Frame():
            trade = _TRADE.search(item.data)
            return Entry(
                kind="frame",
                connection=item.connection_id,
                number=item.sequence,
                epoch=item.epoch,
                venue=int(trade[1]) if trade else 0,
                at_ns=at_ns,
            )
        case Gap():
            return Entry(
                kind="gap",
                connection=item.connection_id,
                number=item.sequence,
                first=item.first_sequence,
                last=item.last_sequence,
                cause=item.cause,
                epoch=item.epoch_after,
                at_ns=at_ns,
            )
        case Late():
            frame = item.frame
            return Entry(kind="late", connection=frame.connection_id, number=frame.sequence, at_ns=at_ns)
        case Stale() | Restored():
            return Entry(kind="marker", connection=item.connection_id, number=item.sequence, at_ns=at_ns)
        case Silent():
            return Entry(kind="silent", at_ns=at_ns)


async def count(options: Options, book: Book, items: Subscription) -> None:
    """Write items down until the end; a mishap comes after that."""
    mishap = options.mishap

    async def handle(item: Item) -> None:
        nonlocal mishap
        entry = entry_of(item)
        book.write(entry)
        if not mishap or entry.kind != "frame" or entry.number < MISHAP_AT:
            return
        if mishap == "raise":
            raise RuntimeError(f"cannot make anything of frame {entry.number}")
        if mishap == "hang":
            signal.pause()  # the whole program stands still, its answer to this message unsent
        mishap = ""
        await asyncio.sleep(SLOW_SECONDS)

    await items.run(handle)


async def main(options: Options) -> None:
    """Subscribe behind what is written already, say so, count until SIGTERM."""
    after = place_in(read_book(Path(options.book)))
    book = Book(Path(options.book))
    async with subscribe(options.topic, dapr=options.dapr, late=True, after=after) as items:
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGTERM, lambda: asyncio.ensure_future(items.close())
        )
        book.write(Entry(kind="start", at_ns=time.time_ns()))
        await count(options, book, items)


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=Options)))
