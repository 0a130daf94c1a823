"""The sockets that one connection has just now, and who decides what passes when there are several."""

from __future__ import annotations

from collections.abc import Sequence

from virtufin_examples.connections._clock import Clock
from virtufin_examples.connections._continuity import Continuity
from virtufin_examples.connections._epoch import Epoch
from virtufin_examples.connections._line import OVERLAP_SECONDS
from virtufin_examples.connections._link import Link
from virtufin_examples.venues import RISING_WINDOW_NS, Arbiter, Seen, one_message

MOST_ALONE_SECONDS = RISING_WINDOW_NS / 1e9
"""How long a socket that is left alone is looked at most: by then what the other brought is forgotten."""


class Sharing:
    """The epochs that have a socket or are opening one, oldest first.

    An arbiter sits between them and the stream while there are two, and longer: what the one that went had
    brought, the one that stays brings again, until it has caught up. `every` looks for holes in the
    venue's numbers.
    """

    def __init__(self, clock: Clock, *, every: bool) -> None:
        self.epochs: list[Epoch] = []
        self.continuity = Continuity() if every else None
        self._clock = clock
        self._arbiter: Arbiter | None = None
        self._alone_at = 0.0
        self._repeated_at = 0.0
        self._news = 0
        self._repeats = 0

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

    def join(self, epoch: Epoch, link: Link) -> None:
        """Take in a socket that is about to open; it shares what it brings with those that there are."""
        if not self.epochs:
            self._arbiter = None
            if self.continuity is not None:
                self.continuity.start_anew()
        else:
            if self._arbiter is None:
                self._arbiter = Arbiter(
                    self._peek, self._messages, holes_are_announced=self.continuity is not None
                )
                for other in self.epochs:
                    self._arbiter.join(other.number)
                    other.share(self._arbiter)
            self._arbiter.join(epoch.number)
            link.arbiter = self._arbiter
        self.epochs.append(epoch)

    def leave(self, epoch: Epoch) -> None:
        """Take a socket out; what waited for it is handed on."""
        if epoch not in self.epochs:
            return
        self.epochs.remove(epoch)
        self._alone_at = self._repeated_at = self._clock.monotonic()
        if self._arbiter is not None and epoch.link is not None:
            epoch.link.release(self._arbiter.leave(epoch.number))
            epoch.link.arbiter = None
            self._news, self._repeats = self._arbiter.news, self._arbiter.repeats

    def tick(self, epoch: Epoch) -> None:
        """Hand on what has waited long enough; let a socket that is alone and has caught up pass freely."""
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

    def _peek(self, payload: bytes) -> Sequence[Seen]:
        return self.epochs[0].peek(payload) if self.epochs else ()

    def _messages(self, payload: bytes) -> Sequence[bytes]:
        return self.epochs[0].messages(payload) if self.epochs else one_message(payload)
