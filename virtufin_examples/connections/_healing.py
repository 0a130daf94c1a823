"""How a connection heals, as its common options say. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from virtufin_examples.errors import InvalidInputError, PreconditionError
from virtufin_examples.venues import VenueLimits, option_seconds

PING_SECONDS = 20.0
"""Silence after which a link is pinged: Binance's own interval, and well below NAT time-outs of a minute."""

_DAY_SECONDS = 86_400
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class Watch(enum.StrEnum):
    """Which frames are looked at for symbols and sequences."""

    OFF = "off"
    SAMPLE = "sample"
    EVERY = "every"


@dataclass(frozen=True, slots=True, kw_only=True)
class Healing:
    """The common options of one connection.

    `quiet_seconds` None is learned, 0 never trips. `renew_at` is in seconds of the day, UTC.
    """

    ping_seconds: float = PING_SECONDS
    quiet_seconds: float | None = None
    watch: Watch = Watch.SAMPLE
    renew_at: int | None = None
    sockets: int = 1

    @classmethod
    def parse(cls, options: Mapping[str, str], limits: VenueLimits) -> Healing:
        """Read the options; `InvalidInputError` names the bad one, `PreconditionError` the venue's limit."""
        return cls(
            ping_seconds=option_seconds(options, "ping_seconds", PING_SECONDS),
            quiet_seconds=option_seconds(options, "quiet_seconds", 0.0)
            if "quiet_seconds" in options
            else None,
            watch=_watch(options.get("watch", Watch.SAMPLE)),
            renew_at=_time_of_day(options["renew_at"]) if "renew_at" in options else None,
            sockets=_sockets(options.get("redundancy", "1"), limits),
        )


def renewal_seconds(healing: Healing, limits: VenueLimits, now_ns: int, random: float) -> float | None:
    """Return in how many seconds a new socket is to be replaced; None: it need not be.

    At the user's time of day where that comes before the venue's own cut, else a little before the cut: 1 to
    5 % of the socket's life, at random, so that sockets opened together are not replaced together.
    """
    cut = None if limits.socket_seconds is None else limits.socket_seconds * (0.99 - 0.04 * random)
    if healing.renew_at is None:
        return cut
    chosen = seconds_until(healing.renew_at, now_ns)
    return chosen if cut is None else min(chosen, cut)


def seconds_until(time_of_day: int, now_ns: int) -> float:
    """Return the seconds to the next such time of day (UTC); a whole day when it is just now."""
    now = now_ns / 1e9 % _DAY_SECONDS
    return (time_of_day - now) % _DAY_SECONDS or float(_DAY_SECONDS)


def _watch(text: str) -> Watch:
    try:
        return Watch(text)
    except ValueError as error:
        raise InvalidInputError(f'options: watch is "{text}"', hint="sample, every or off") from error


def _time_of_day(text: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        raise InvalidInputError(f'options: renew_at is "{text}"', hint="give HH:MM in UTC, such as 03:30")
    return int(match[1]) * 3600 + int(match[2]) * 60


def _sockets(text: str, limits: VenueLimits) -> int:
    if text not in {"1", "2"}:
        raise InvalidInputError(f'options: redundancy is "{text}"', hint="give 1 or 2")
    sockets = int(text)
    if limits.sockets is not None and sockets > limits.sockets:
        raise PreconditionError(
            f"options: redundancy is {sockets}, the venue allows {limits.sockets} socket for {limits.scope}",
            hint="leave redundancy at 1",
        )
    return sockets
