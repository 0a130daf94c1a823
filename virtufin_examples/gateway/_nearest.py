"""Names that somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection

_SHOWN = 3


def nearest_hint(given: str, known: Collection[str], what: str) -> str:
    """Return a hint with the names closest to `given`, or all of them when none is close."""
    if not known:
        return f"there are no {what}"
    lowered = {name.lower(): name for name in sorted(known)}
    close = difflib.get_close_matches(given.lower(), lowered, n=_SHOWN, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(lowered[name] for name in close) + "?"
    return f"{what}: " + ", ".join(sorted(known))
