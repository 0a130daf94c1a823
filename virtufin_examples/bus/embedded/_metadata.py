"""Publish and subscription metadata that the runtime understands.

daprd matches names without regard to case; so `lower_names` comes first, and the others look for lower case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from virtufin_examples.bus.embedded._statuses import RefusedError
from virtufin_examples.errors import InvalidInputError

_RAW_PAYLOAD = "rawPayload"
_TTL_NAMES = ("ttl", "ttlInSeconds")
MAX_TTL_SECONDS = 10**9  # 31 years: later than any message matters, and a date that can be written

_OVERRIDES = {
    f"cloudevent.{name}": name
    for name in ("id", "source", "type", "subject", "traceid", "traceparent", "tracestate")
}

_TRUE = ("1", "t", "true")
_FALSE = ("", "0", "f", "false")

_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)", re.ASCII)
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+", re.ASCII)


def lower_names(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata with their names in lower case."""
    return {name.lower(): value for name, value in metadata.items()}


def is_raw(metadata: Mapping[str, str]) -> bool:
    """Whether `rawPayload` is on; raises `InvalidInputError` when it is neither true nor false."""
    given = metadata.get(_RAW_PAYLOAD.lower(), "")
    if given.lower() in _TRUE:
        return True
    if given.lower() in _FALSE:
        return False
    raise RefusedError(
        f"{_RAW_PAYLOAD} is {given!r}",
        reason="DAPR_PUBSUB_METADATA_DESERIALIZATION",
        hint="give true or false",
    )


def ttl_seconds(metadata: Mapping[str, str]) -> float | None:
    """Return the time to live, None when there is none.

    It is a whole number of seconds, or a duration such as `1m30s`; `InvalidInputError` for anything else and
    for zero.
    """
    for name in _TTL_NAMES:
        given = metadata.get(name.lower(), "")
        if not given:
            continue
        seconds = _seconds(given)
        if seconds is None or not 0 < seconds <= MAX_TTL_SECONDS:
            raise InvalidInputError(
                f"{name} is {given!r}", hint=f"give a whole number of seconds from 1 to {MAX_TTL_SECONDS}"
            )
        return seconds
    return None


def cloudevent_overrides(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes that `cloudevent.<name>` sets; traceparent and traceid are one value."""
    found = {_OVERRIDES[name]: value for name, value in metadata.items() if value and name in _OVERRIDES}
    trace = found.get("traceparent") or found.get("traceid")
    if trace:
        found["traceparent"] = found["traceid"] = trace
    return found


def _seconds(given: str) -> float | None:
    if given.isascii() and given.isdigit():
        return float(given)
    if _DURATION.fullmatch(given) is None:
        return None
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(given))
