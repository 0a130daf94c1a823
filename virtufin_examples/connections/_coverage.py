"""Finds the times for which no socket of a connection can vouch. Pure: counts and times in.

A socket vouches for the time from its confirmed handshake to the last byte that it brought: what comes by TCP
is in order, so that a later byte, be it a pong, proves that all before it has arrived. A socket that is open
proves nothing by that: it may be half-open. So the time before a new socket is in doubt until an older one
brings something, for which it is asked by a ping. When it is silent for long, or gone, the time is a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from virtufin_examples.errors import UnavailableError

PROOF_SECONDS = 2.0
"""How long an older socket may take to answer: as long as two live side by side in a planned replacement."""


class Voucher(Protocol):
    """What is to be known of a socket: a `Link`."""

    @property
    def epoch(self) -> int: ...

    @property
    def last_ns(self) -> int:
        """When its last frame came."""

    @property
    def signs_of_life(self) -> int:
        """How many frames and pongs have come."""

    def ping(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A time of which nothing proves that all has come; it has not `ended` until the new socket is up."""

    epoch_before: int
    epoch_after: int
    from_ns: int
    to_ns: int
    ended: bool


@dataclass(slots=True)
class _Doubt:
    """The time before a new socket; each older one with the signs of life that it had given by then."""

    epoch: int
    epoch_before: int
    from_ns: int
    due_at: float
    signs: dict[Voucher, int]
    to_ns: int = 0  # 0: the new socket is not confirmed


class Coverage:
    """`announce` is called in the place of the gap: before what the new socket brought passes."""

    def __init__(self, announce: Callable[[Uncovered], None]) -> None:
        self.until_ns = 0
        """Up to when the sockets that are gone, and the beginnings of the others, reach."""
        self._announce = announce
        self._doubts: dict[int, _Doubt] = {}

    def opened(self, epoch: int, others: Sequence[Voucher], now: float) -> None:
        """A socket is open and its handshake under way; `others` are up."""
        self._doubt(epoch, others, now)

    def went_up(self, epoch: int, others: Sequence[Voucher], now: float, now_ns: int) -> None:
        """A socket vouches for what comes from now on."""
        doubt = self._doubt(epoch, others, now)
        if doubt is not None:
            doubt.to_ns = now_ns
            if doubt.from_ns == now_ns:  # nothing lies between
                del self._doubts[epoch]
        self.until_ns = now_ns  # less than before only where the clock was set back

    def left(self, link: Voucher, *, was_up: bool) -> None:
        """A socket is gone, or will be replaced now: it brings nothing more."""
        if was_up:
            self.until_ns = max(self.until_ns, link.last_ns)
        for epoch, doubt in tuple(self._doubts.items()):
            if link not in doubt.signs:
                continue
            if self._is_proved(doubt):
                del self._doubts[epoch]
                continue
            del doubt.signs[link]
            if not doubt.signs:
                del self._doubts[epoch]
                if doubt.to_ns:  # otherwise no socket is up: the connection is broken, which is announced
                    self._tell(doubt, doubt.to_ns)
        if not was_up:
            self._doubts.pop(link.epoch, None)

    def passes(self, epoch: int, now_ns: int) -> None:
        """What a new socket brought, and waited for an older one to bring as well, waits no longer."""
        doubt = self._doubts.pop(epoch, None)
        if doubt is not None and not self._is_proved(doubt):
            self._tell(doubt, doubt.to_ns or now_ns)

    def tick(self, now: float) -> None:
        """Settle what an older socket had time enough to prove."""
        for doubt in tuple(self._doubts.values()):
            if doubt.to_ns and now >= doubt.due_at:
                self.passes(doubt.epoch, doubt.to_ns)

    def _doubt(self, epoch: int, others: Sequence[Voucher], now: float) -> _Doubt | None:
        self._doubts.pop(epoch, None)
        if not others:
            return None
        doubt = self._doubts[epoch] = _Doubt(
            epoch,
            epoch_before=others[-1].epoch,
            from_ns=max(self.until_ns, *(link.last_ns for link in others)),
            due_at=now + PROOF_SECONDS,
            signs={link: link.signs_of_life for link in others},
        )
        for link in others:
            _ask(link)
        return doubt

    @staticmethod
    def _is_proved(doubt: _Doubt) -> bool:
        return any(link.signs_of_life != signs for link, signs in doubt.signs.items())

    def _tell(self, doubt: _Doubt, to_ns: int) -> None:
        self._announce(
            Uncovered(
                doubt.epoch_before,
                doubt.epoch,
                min(doubt.from_ns, to_ns),  # the clock may have been set back
                to_ns,
                ended=bool(doubt.to_ns),
            )
        )


def _ask(link: Voucher) -> None:
    try:
        link.ping()
    except UnavailableError:
        return  # it has just closed, and so proves nothing; it will be taken out
