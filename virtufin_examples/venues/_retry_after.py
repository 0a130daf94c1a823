"""The Retry-After header (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping

MAX_WAIT_SECONDS = 3600.0


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, at most an hour; None where the header says nothing.

    A date is taken against the answer's own Date, so that no clock need agree with the server's.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    value = lower.get("retry-after", "")
    if value.isascii() and value.isdecimal():
        return min(float(value[:10]), MAX_WAIT_SECONDS)
    try:
        until = email.utils.parsedate_to_datetime(value)
        seconds = (until - email.utils.parsedate_to_datetime(lower.get("date", ""))).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(0.0, seconds), MAX_WAIT_SECONDS)
