"""An application heartbeat: a message that the venue wants at an interval, or that shows that it is there."""

from __future__ import annotations

from collections.abc import Sequence

from virtufin_examples.venues._exchange import Disposition, Effect, Outgoing, Refused

_SECOND_NS = 1_000_000_000


class Heartbeat:
    """One socket's at a time: `start` it in `live`, return `due` in `tick`.

    With `is_answered` the venue must answer each before the next is due (`answered` says that it did); else
    the socket is ended and the core connects again. `seconds` 0: none is sent.
    """

    def __init__(self, message: bytes, seconds: float, *, is_answered: bool = False) -> None:
        self._message = message
        self._interval_ns = int(seconds * _SECOND_NS)
        self._is_answered = is_answered
        self._waits = False
        self._sent_ns = 0

    def start(self, now_ns: int) -> None:
        """Begin to count the time to the first one, on a new socket."""
        self._waits = False
        self._sent_ns = now_ns

    def answered(self) -> None:
        """The venue answered."""
        self._waits = False

    def due(self, now_ns: int) -> Sequence[Effect]:
        """Return the message when it is time for it, or what ends a socket whose venue does not answer."""
        if not self._interval_ns or now_ns - self._sent_ns < self._interval_ns:
            return ()
        if self._waits:
            return (Refused(0, "a heartbeat was not answered", Disposition.RETRY),)
        self._sent_ns, self._waits = now_ns, self._is_answered
        return (Outgoing(self._message),)
