"""One line a frame: `T`, `S`, and `p`/`s` of trades or the best `b`/`a` of books; control frames too."""

from __future__ import annotations

from collections.abc import Sequence

from virtufin_examples.errors import VirtufinError
from virtufin_examples.example_run._edits import SymbolsChanged
from virtufin_examples.frames import Frame, Gap, Item, Late, Restored, Silent, Stale
from virtufin_examples.venues.alpaca import FrameItem

_SHOWN = 2  # messages of a frame on its line


def number(value: float | None) -> str:
    """Return a price or size as people write it."""
    return "-" if value is None else format(value, ".10g")


def frame_line(frame: Frame, items: Sequence[FrameItem]) -> str:
    """Return a frame's line; of many messages the first two and how many more."""
    shown = "  ".join(_message(item) for item in items[:_SHOWN])
    more = f"  +{len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    mark = " SIMULATED" if frame.simulated and frame.sequence == 1 else ""
    return f"{frame.sequence:>8}  {shown}{more}{mark}"


def _message(item: FrameItem) -> str:
    parts = [f"T={item.type}"]
    if item.symbol:
        parts.append(f"S={item.symbol}")
    if item.price is not None:
        parts.append(f"p={number(item.price)}")
        parts.append(f"s={number(item.size)}")
    elif item.bid is not None or item.ask is not None:
        parts.append(f"b={number(item.bid)}")
        parts.append(f"a={number(item.ask)}")
    if item.text:
        parts.append(item.text)
    return " ".join(parts)


def event_line(item: Item) -> str:
    """Return the line of an item that is no frame."""
    match item:
        case Gap():
            ms = (item.to_ns - item.from_ns) / 1e6
            bounds = (
                f", sequences {item.first_sequence} to {item.last_sequence}" if item.first_sequence else ""
            )
            state = "" if item.ended else ", still open"
            epochs = f"epoch {item.epoch_before} to {item.epoch_after}"
            return f"gap ({item.cause}): {ms:.0f} ms, {epochs}{bounds}{state}"
        case Stale():
            return f"stale: {_symbols(item.symbols)}{f' ({item.reason})' if item.reason else ''}"
        case Restored():
            return f"restored: {_symbols(item.symbols)}"
        case Silent():
            whose = f" of {len(item.connections)} of its connections" if item.connections else ""
            hint = f"; {item.hint}" if item.hint else ""
            return f"silent: no message and no heartbeat on {item.topic}{whose}{hint}"
        case Late(frame=frame):
            return f"late: sequence {frame.sequence}"
        case _:
            return str(item)


def change_line(change: SymbolsChanged) -> str:
    """Return the line of a change of symbols that was made."""
    parts = [f"added {', '.join(change.added)}"] if change.added else []
    parts += [f"removed {', '.join(change.removed)}"] if change.removed else []
    done = f"symbols: {'; '.join(parts)} ({change.connections} connections, {change.workers} workers)"
    return done + (f"; whether they exist was not checked: {change.unchecked}" if change.unchecked else "")


def refused_line(error: VirtufinError) -> str:
    """Return the line of an edit that was refused."""
    return f"edit refused, nothing changed: {error.message}" + (f" (fix: {error.hint})" if error.hint else "")


def _symbols(symbols: tuple[str, ...]) -> str:
    return ", ".join(symbols) or "the whole connection"
