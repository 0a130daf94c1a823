"""What an address may do: connects in five minutes, weight a minute; and bans of those who go on."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from virtufin_examples.venues.binance._limits import Limits

WINDOW_SECONDS = 60.0
FIRST_BAN_SECONDS = 120.0  # binance-spot-api-docs, rest-api, "IP Limits": from 2 minutes to 3 days
LONGEST_BAN_SECONDS = 3 * 86_400.0
OFFENCES_TO_BAN = 5
"""Refusals in a row after which the address is banned. Binance names no number."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP status and the seconds for Retry-After."""

    status: int
    retry_after_seconds: int


class Bans:
    """Bans an address that goes on after refusals; each ban lasts twice as long as the one before."""

    def __init__(self) -> None:
        self._offences: dict[str, int] = {}
        self._bans: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def ban(self, address: str, now: float, seconds: float) -> None:
        """Ban an address now."""
        self._until[address] = now + seconds

    def lift(self) -> None:
        """Forget all bans and offences."""
        self._offences.clear()
        self._bans.clear()
        self._until.clear()

    def check(self, address: str, now: float) -> Refusal | None:
        """Return the refusal of a banned address."""
        left = self._until.get(address, 0.0) - now
        return Refusal(418, math.ceil(left)) if left > 0 else None

    def offended(self, address: str, now: float, retry_after: float) -> Refusal:
        """Count a broken limit; returns 429, or 418 when that was once too often."""
        count = self._offences[address] = self._offences.get(address, 0) + 1
        if count < OFFENCES_TO_BAN:
            return Refusal(429, max(1, math.ceil(retry_after)))
        self._offences[address] = 0
        earlier = self._bans.get(address, 0)
        self._bans[address] = earlier + 1
        self.ban(address, now, min(LONGEST_BAN_SECONDS, FIRST_BAN_SECONDS * 2.0**earlier))
        return self.check(address, now) or Refusal(418, 1)

    def behaved(self, address: str) -> None:
        """Forget the offences of an address that has kept the limits again."""
        self._offences.pop(address, None)


class ConnectGate:
    """Counts the upgrades of the last five minutes."""

    def __init__(self, limits: Limits, bans: Bans) -> None:
        self._limits = limits
        self._bans = bans
        self._attempts: dict[str, deque[float]] = {}

    def enter(self, address: str, now: float) -> Refusal | None:
        """Take an attempt; returns None, or why it is refused."""
        banned = self._bans.check(address, now)
        if banned is not None:
            return banned
        attempts = self._attempts.setdefault(address, deque())
        while attempts and attempts[0] <= now - self._limits.connects_seconds:
            attempts.popleft()
        if len(attempts) >= self._limits.connects:
            return self._bans.offended(address, now, attempts[0] + self._limits.connects_seconds - now)
        attempts.append(now)
        self._bans.behaved(address)
        return None


class WeightGate:
    """Counts the weight of requests in each whole minute."""

    def __init__(self, limits: Limits, bans: Bans) -> None:
        self._limits = limits
        self._bans = bans
        self._used: dict[str, tuple[int, int]] = {}

    def used(self, address: str, now: float) -> int:
        """The weight used in this minute."""
        minute, used = self._used.get(address, (0, 0))
        return used if minute == int(now // WINDOW_SECONDS) else 0

    def enter(self, address: str, weight: int, now: float) -> Refusal | None:
        """Take a request; returns None, or why it is refused."""
        banned = self._bans.check(address, now)
        if banned is not None:
            return banned
        used = self.used(address, now) + weight
        minute = int(now // WINDOW_SECONDS)
        if used > self._limits.weight_a_minute:
            return self._bans.offended(address, now, (minute + 1) * WINDOW_SECONDS - now)
        self._used[address] = (minute, used)
        self._bans.behaved(address)
        return None
