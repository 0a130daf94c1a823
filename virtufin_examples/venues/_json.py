"""Reading what may be JSON."""

from __future__ import annotations

from typing import Any

import msgspec

_decoder = msgspec.json.Decoder()


def json_of(payload: bytes) -> Any:  # noqa: ANN401 - that is what JSON is
    """Return the value that a message spells in JSON; None where it is none: the venue's to refuse."""
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
