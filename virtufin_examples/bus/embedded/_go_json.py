"""JSON as daprd writes it anew (Go's encoding/json): numbers as doubles, keys sorted, `<>&` escaped."""

from __future__ import annotations

import json
import math
from decimal import Decimal

_ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)
_SMALLEST_PLAIN = 1e-6
_LARGEST_PLAIN = 1e21


def rewritten(text: bytes) -> bytes:
    """Return the JSON value in `text` as Go writes it from a double; raises `ValueError` when it is none."""
    value = json.loads(text.decode(errors="replace"), parse_int=float, parse_constant=_refuse)
    return _written(value).encode(errors="replace")


def written_string(text: str) -> bytes:
    """Return a string as a JSON value."""
    return _written(text).encode(errors="replace")


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


def _written(value: object) -> str:
    if isinstance(value, dict):
        members = (f"{_written(name)}:{_written(value[name])}" for name in sorted(value))
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value, ensure_ascii=False).translate(_ESCAPES)


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError("a number is too large for a double")
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - it is finite
    if _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN:
        return f"{Decimal((sign, digits, exponent)):f}"
    text = "".join(map(str, digits))
    power = exponent + len(text) - 1
    mantissa = text[0] + (f".{text[1:]}" if len(text) > 1 else "")
    exponential = f"e-{-power}" if power < 0 else f"e+{power}"
    return f"{'-' if sign else ''}{mantissa}{exponential}"
