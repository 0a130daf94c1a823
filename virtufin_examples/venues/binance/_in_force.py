"""Which streams are in force on one socket, as far as the venue has said so. Pure."""

from __future__ import annotations

from collections.abc import Iterable

_MOST_RETRIES = 3


class InForce:
    """Binance confirms a subscription without looking at it: only its list of subscriptions is believed.

    A stream that was confirmed counts once it is listed. Where the venue refuses to list, the confirmation
    has to do.
    """

    def __init__(self) -> None:
        self._confirmed: set[str] = set()
        self._listed: set[str] = set()
        self._lost: tuple[str, ...] = ()
        self._retries = 0

    @property
    def names(self) -> frozenset[str]:
        """The streams that are known to be in force."""
        return frozenset(self._listed)

    @property
    def is_to_check(self) -> bool:
        """Whether something was confirmed that no list has shown yet."""
        return bool(self._confirmed)

    def opened(self, names: Iterable[str]) -> None:
        """A new socket has what its URL names."""
        self._confirmed = set(names)
        self._listed.clear()
        self._lost = ()
        self._retries = 0

    def added(self, names: Iterable[str]) -> None:
        """The venue confirmed a SUBSCRIBE."""
        self._confirmed.update(names)

    def removed(self, names: Iterable[str]) -> None:
        """The venue confirmed an UNSUBSCRIBE."""
        self._confirmed.difference_update(names)
        self._listed.difference_update(names)

    def listed(self, names: Iterable[str], wanted: Iterable[str]) -> None:
        """The venue listed what is in force; `wanted` is what should be."""
        self._listed = set(names)
        self._confirmed.clear()
        self._lost = tuple(name for name in wanted if name not in self._listed)
        if not self._lost:
            self._retries = 0

    def unlisted(self) -> None:
        """The venue refused to list."""
        self._listed |= self._confirmed
        self._confirmed.clear()

    def take_lost(self) -> tuple[str, ...]:
        """Return what was confirmed and not made, to be asked for once more; three times at most."""
        lost, self._lost = self._lost, ()
        if not lost or self._retries == _MOST_RETRIES:
            return ()
        self._retries += 1
        return lost
