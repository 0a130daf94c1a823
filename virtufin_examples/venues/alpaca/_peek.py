"""Finds the symbols of a data frame without parsing it."""

from __future__ import annotations

import re
from itertools import islice

from virtufin_examples.venues import Seen

_SCAN_BYTES = 16 * 1024
_MAX_SYMBOLS = 256
_JSON = re.compile(rb'"S":"([^"\\]{1,32})"')
_MSGPACK = re.compile(rb"\xa1S([\xa1-\xbf])", re.DOTALL)
_JSON_STARTS = b"[{ \t\r\n"


def peek(payload: bytes) -> list[Seen]:
    """Return each symbol once, in order, of the first 16 KiB and at most 256 of them; both encodings."""
    head = payload[:_SCAN_BYTES]
    if head[:1] in _JSON_STARTS:
        names = [match[1] for match in islice(_JSON.finditer(head), _MAX_SYMBOLS)]
    else:
        names = []
        for match in islice(_MSGPACK.finditer(head), _MAX_SYMBOLS):
            names.append(head[match.end() : match.end() + match[1][0] - 0xA0])
    return [Seen(name.decode(errors="replace")) for name in dict.fromkeys(names)]
