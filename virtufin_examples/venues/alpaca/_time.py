"""Times on the wire: RFC 3339 with nanoseconds in JSON, the Timestamp extension in msgpack."""

from __future__ import annotations

import datetime as dt
import functools

NANOSECONDS = 1_000_000_000


@functools.lru_cache(maxsize=64)
def _whole_seconds(seconds: int) -> str:
    moment = dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


@functools.lru_cache(maxsize=64)
def _unix_seconds(text: str) -> int:
    """Read `2021-02-22T15:51:44` as UTC; `ValueError` when it is none."""
    return int(dt.datetime.fromisoformat(text + "+00:00").timestamp())


_SECONDS_CHARS = len("2021-02-22T15:51:44")


class Timestamp:
    """A moment as Unix time in nanoseconds; no dataclass, which msgspec would write as a map."""

    __slots__ = ("ns",)

    def __init__(self, ns: int) -> None:
        self.ns = ns

    def __eq__(self, other: object) -> bool:
        return self.ns == other.ns if isinstance(other, Timestamp) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.ns)

    def __repr__(self) -> str:
        return f"Timestamp({self.rfc3339()})"

    def rfc3339(self) -> str:
        """The moment in UTC with up to nine decimals; trailing zeros are left out, as Alpaca does."""
        seconds, nanoseconds = divmod(self.ns, NANOSECONDS)
        text = _whole_seconds(seconds)
        return f"{text}.{nanoseconds:09d}".rstrip("0") + "Z" if nanoseconds else f"{text}Z"

    def extension(self) -> bytes:
        """The 8-byte body of msgpack's Timestamp extension (30 bits of nanoseconds, 34 of seconds)."""
        seconds, nanoseconds = divmod(self.ns, NANOSECONDS)
        return (nanoseconds << 34 | seconds).to_bytes(8, "big")

    @classmethod
    def parse(cls, text: str) -> Timestamp:
        """Read RFC 3339, keeping all nine decimals; `ValueError` when it is none."""
        digits = text[_SECONDS_CHARS + 1 : -1]  # as Alpaca writes them: in UTC
        if text.find(".") == _SECONDS_CHARS and text[-1] == "Z" and digits.isdecimal() and digits.isascii():
            return cls(_unix_seconds(text[:_SECONDS_CHARS]) * NANOSECONDS + int(digits[:9].ljust(9, "0")))
        head, dot, tail = text.partition(".")
        if not dot:
            return cls(int(dt.datetime.fromisoformat(text).timestamp()) * NANOSECONDS)
        digits = tail.rstrip("Z")
        offset = ""
        for sign in "+-":
            if sign in digits:
                digits, _, rest = digits.partition(sign)
                offset = sign + rest
        if not (digits.isascii() and digits.isdecimal()):
            raise ValueError(f"{text!r} is no time in RFC 3339")
        moment = dt.datetime.fromisoformat(head + (offset or "+00:00"))
        return cls(int(moment.timestamp()) * NANOSECONDS + int(digits[:9].ljust(9, "0")))
