"""The sockets that one connection has just now, and who decides what passes when there are several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from virtufin_examples.connections._clock import Clock
from virtufin_examples.connections._continuity import Continuity
from virtufin_examples.connections._coverage import Coverage, Uncovered
from virtufin_examples.connections._epoch import Epoch
from virtufin_examples.connections._line import OVERLAP_SECONDS
from virtufin_examples.connections._link import Link
from virtufin_examples.venues import RISING_WINDOW_NS, Arbiter, Arrival, Seen, one_message

MOST_ALONE_SECONDS = RISING_WINDOW_NS / 1e9
"""How long a socket that is left alone is looked at most: by then what the other brought is forgotten."""


class Sharing:
    """The epochs that have a socket or are opening one, oldest first.

    An arbiter sits between them and the stream while there are two, and longer: what the one that went had
    brought, the one that stays brings again, until it has caught up. `every` looks for holes in the
    venue's numbers; `uncovered` is told of times for which none of the sockets can vouch.
    """

    def __init__(self, clock: Clock, *, every: bool, uncovered: Callable[[Uncovered], None]) -> None:
        self.epochs: list[Epoch] = []
        self.continuity = Continuity() if every else None
        self._clock = clock
        self._arbiter: Arbiter | None = None
        self._alone_at = 0.0
        self._repeated_at = 0.0
        self._news = 0
        self._repeats = 0
        self._coverage = Coverage(uncovered)

    @property
    def up(self) -> list[Epoch]:
        """Those whose socket is open and whose handshake is answered."""
        return [each for each in self.epochs if each.is_up and each.link and not each.link.ended.done()]

    @property
    def sockets(self) -> int:
        """How many are open or on the way."""
        return sum(each.link is None or not each.link.ended.done() for each in self.epochs)

    @property
    def is_any_up(self) -> bool:
        """Whether one has been up and has not been taken out."""
        return any(epoch.is_up for epoch in self.epochs)

    @property
    def covered_until_ns(self) -> int:
        """Up to when the sockets that have been up reach; 0 where none has."""
        came = (each.link.last_ns for each in self.epochs if each.is_up and each.link is not None)
        return max((self._coverage.until_ns, *came))

    def opened(self, epoch: Epoch) -> None:
        """A socket is open."""
        self._coverage.opened(epoch.number, self._others(epoch), self._clock.monotonic())

    def went_up(self, epoch: Epoch) -> None:
        """The handshake of a socket is answered."""
        clock = self._clock
        self._coverage.went_up(epoch.number, self._others(epoch), clock.monotonic(), clock.now_ns())

    def join(self, epoch: Epoch, link: Link) -> None:
        """Take in a socket that is about to open; it shares what it brings with those that there are."""
        if not self.epochs:
            self._arbiter = None
            if self.continuity is not None:
                self.continuity.start_anew()
        else:
            if self._arbiter is None:
                self._arbiter = Arbiter(
                    self._peek,
                    self._messages,
                    holes_are_announced=self.continuity is not None,
                    joined=self._joined,
                )
                for other in self.epochs:
                    self._arbiter.join(other.number)
                    other.share(self._arbiter)
            self._arbiter.join(epoch.number)
            link.arbiter = self._arbiter
        self.epochs.append(epoch)

    def leave(self, epoch: Epoch) -> list[Arrival]:
        """Take a socket out; return what waited for it."""
        if epoch not in self.epochs:
            return []
        self.epochs.remove(epoch)
        self._alone_at = self._repeated_at = self._clock.monotonic()
        if epoch.link is not None:
            self._coverage.left(epoch.link, was_up=epoch.is_up)
        if self._arbiter is None or epoch.link is None:
            return []
        epoch.link.arbiter = None
        waited = self._arbiter.leave(epoch.number)
        self._news, self._repeats = self._arbiter.news, self._arbiter.repeats
        return waited

    def tick(self, epoch: Epoch) -> None:
        """Hand on what has waited long enough; let a socket that is alone and has caught up pass freely."""
        self._coverage.tick(self._clock.monotonic())
        if self._arbiter is None or epoch.link is None:
            return
        epoch.link.release(self._arbiter.overdue(self._clock.now_ns()))
        if len(self.epochs) == 1 and self._has_caught_up(self._arbiter):
            self._arbiter = None
            epoch.share(None)

    def _has_caught_up(self, arbiter: Arbiter) -> bool:
        """Tell whether the socket that was left alone brings news, and for a while nothing else."""
        now = self._clock.monotonic()
        if arbiter.repeats != self._repeats:
            self._repeats, self._repeated_at = arbiter.repeats, now
        is_steady = arbiter.news > self._news and now - self._repeated_at >= OVERLAP_SECONDS
        return is_steady or now - self._alone_at >= MOST_ALONE_SECONDS

    def _others(self, epoch: Epoch) -> list[Link]:
        return [each.link for each in self.up if each is not epoch and each.link is not None]

    def _joined(self, epoch: int) -> None:
        self._coverage.passes(epoch, self._clock.now_ns())

    def _peek(self, payload: bytes) -> Sequence[Seen]:
        return self.epochs[0].peek(payload) if self.epochs else ()

    def _messages(self, payload: bytes) -> Sequence[bytes]:
        return self.epochs[0].messages(payload) if self.epochs else one_message(payload)
