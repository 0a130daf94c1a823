"""The options of a connection: common ones, which the connection core reads, and a venue's own."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from virtufin_examples.errors import InvalidInputError

MAX_SECONDS = 86_400.0
"""A day: more is taken for a slip."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: what it does, and what holds without it, in words."""

    name: str
    meaning: str
    default: str = ""


COMMON_OPTIONS: Sequence[Option] = (
    Option("ping_seconds", "ping the venue after so long without a frame; 0: never", "20"),
    Option("quiet_seconds", "silence that counts as stale; 0: never", "learned"),
    Option("watch", "sample, every or off: the frames looked at for symbols and sequences", "sample"),
    Option("renew_at", "time of day, HH:MM in UTC, at which a socket that the venue would cut is replaced"),
    Option("redundancy", "1 or 2 sockets; of two, the first arrival of each frame counts", "1"),
)


def require_known(connector: str, options: Mapping[str, str], own: Sequence[Option]) -> None:
    """Raise `InvalidInputError` for the first option that is in neither list."""
    known = [option.name for option in (*own, *COMMON_OPTIONS)]
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise InvalidInputError(
                f'options: connector "{connector}" has no option "{name}"',
                hint=f'did you mean "{near[0]}"?' if near else f"it has {', '.join(known)}",
            )


def option_seconds(
    options: Mapping[str, str], name: str, default: float, *, least: float = 0.0, most: float = MAX_SECONDS
) -> float:
    """Return the seconds that an option gives; `InvalidInputError` for what is not between the two."""
    if name not in options:
        return default
    try:
        seconds = float(options[name])
    except ValueError:
        seconds = float("nan")
    if not least <= seconds <= most:
        raise InvalidInputError(
            f'options: {name} is "{options[name]}"', hint=f"give {least:g} to {most:g} seconds"
        )
    return seconds
