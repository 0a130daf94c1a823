"""Binance's error answers and HTTP statuses, and what we do about each."""

from __future__ import annotations

from collections.abc import Mapping

from virtufin_examples.venues import Disposition, Refused, retry_after_seconds

BAN_SECONDS = 120.0
"""The shortest ban (418); they grow up to three days."""

FIREWALL_SECONDS = 60.0
"""403 is the firewall's: a limit broken or a request that it does not like. No time is named."""

STREAM_ERRORS: Mapping[int, str] = {
    0: "unknown property",
    1: "invalid value type",
    2: "invalid request",
    3: "invalid JSON",
}
"""Codes of answers to (UN)SUBSCRIBE and the like; they leave the subscription as it was."""

TOO_MANY_REQUESTS = -1003
INVALID_SYMBOL = -1121
MISSING_PARAMETER = -1102
ILLEGAL_CHARACTERS = -1100
INVALID_LIMIT = -1130


_WAITS: Mapping[int, tuple[float, str]] = {
    403: (FIREWALL_SECONDS, "Binance's firewall refused"),
    418: (BAN_SECONDS, "this address is banned"),
    429: (FIREWALL_SECONDS, "too many requests"),
}
_PERMANENT: Mapping[int, str] = {
    **dict.fromkeys((400, 401, 404, 405, 410, 426), "no such stream, or a URL that cannot be read"),
    451: "Binance does not serve this place; try data-stream.binance.vision or stream.binance.us",
}


def sort_http(status: int, headers: Mapping[str, str]) -> Refused:
    """Sort an HTTP answer of the stream or the REST host; Retry-After is honoured."""
    reason = f"HTTP status {status}"
    wait = retry_after_seconds(headers)
    if status in _PERMANENT:
        return Refused(status, f"{reason}: {_PERMANENT[status]}", Disposition.PERMANENT)
    if status in _WAITS:
        least, meaning = _WAITS[status]
        return Refused(status, f"{reason}: {meaning}", Disposition.WAIT, least if wait is None else wait)
    if wait is not None:
        return Refused(status, reason, Disposition.WAIT, wait)
    return Refused(status, reason, Disposition.RETRY)
