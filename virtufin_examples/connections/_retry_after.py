"""The Retry-After header (RFC 9110, section 10.2.3)."""

from __future__ import annotations

from collections.abc import Mapping

MAX_WAIT_SECONDS = 3600.0


def retry_after_seconds(headers: Mapping[str, str]) -> float:
    """Return the seconds that the header gives, at most an hour; 0 without one or with a date.

    A date is not honoured: it would need the server's clock to agree with ours, and the back-off covers it.
    """
    text = headers.get("retry-after", "").strip()
    return min(float(text), MAX_WAIT_SECONDS) if text.isascii() and text.isdecimal() else 0.0
