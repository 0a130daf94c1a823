"""The options of a connection: common ones, which the connection core reads, and a venue's own."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from virtufin_examples.errors import InvalidInputError

COMMON_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "ping_seconds": "ping the venue after so long without a frame (default 20; 0: never)",
        "quiet_seconds": "silence that counts as stale (default: learned; 0: never)",
        "watch": "sample, every or off: the frames looked at for symbols and sequences (default sample)",
        "renew_at": "time of day, HH:MM in UTC, at which a socket that the venue would cut is replaced",
        "redundancy": "1 or 2 sockets; of two, the first arrival of each frame counts",
    }
)


def require_known(connector: str, options: Mapping[str, str], own: Mapping[str, str]) -> None:
    """Raise `InvalidInputError` for the first option that is in neither list."""
    known = [*own, *COMMON_OPTIONS]
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise InvalidInputError(
                f'options: connector "{connector}" has no option "{name}"',
                hint=f'did you mean "{near[0]}"?' if near else f"it has {', '.join(known)}",
            )
