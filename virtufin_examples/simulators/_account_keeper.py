"""What a simulator sent, kept for an audit (`virtufin_examples.audit`) from when it is asked for."""

from __future__ import annotations

import time

from virtufin_examples.audit import Entry, VenueAccount
from virtufin_examples.errors import NotFoundError
from virtufin_examples.simulators._control import Request, Route
from virtufin_examples.simulators._faults import Fault, FaultKind

_LASTING = frozenset({FaultKind.STALL, FaultKind.HALF_OPEN, FaultKind.REFUSE, FaultKind.SLOW})


class AccountKeeper:
    """Off at first: an account grows with every frame.

    `POST /control/account` begins one, `GET` returns it.
    """

    def __init__(self) -> None:
        self.account: VenueAccount | None = None

    def routes(self) -> tuple[Route, Route]:
        """Return the control endpoint."""
        return Route("POST", "/control/account", self._begin), Route("GET", "/control/account", self._tell)

    def struck(self, fault: Fault) -> None:
        """Note a fault that begins now."""
        if self.account is not None:
            if fault.kind is FaultKind.LIE:
                return  # noted when it is told
            now_ns = time.time_ns()
            seconds = fault.seconds if fault.kind in _LASTING else 0.0
            if fault.kind is FaultKind.SLOW:
                seconds += fault.delay
            self.account.outage(fault.kind, now_ns, now_ns + int(seconds * 1e9))

    def _begin(self, request: Request) -> object:  # noqa: ARG002 - one signature for all routes
        self.account = VenueAccount()
        return {"kept": True}

    def _tell(self, request: Request) -> bytes:  # noqa: ARG002 - one signature for all routes
        if self.account is None:
            raise NotFoundError("no account is kept", hint="POST /control/account begins one")
        return self.account.encode()


class SocketAccount:
    """One socket's part of the account, whichever is kept at the time."""

    def __init__(self, keeper: AccountKeeper) -> None:
        self._keeper = keeper
        self._account: VenueAccount | None = None
        self._number = 0
        self._lied_ns = 0

    def opened(self) -> VenueAccount | None:
        """Return the account that is kept, where this socket is known."""
        account = self._keeper.account
        if account is not self._account:
            self._account = account
            if account is not None:
                self._number = account.opened(time.time_ns())
        return account

    def offered(self, payload: bytes, lane: str, symbol: str) -> Entry | None:
        """A data frame is meant for the socket."""
        account = self.opened()
        if account is None:
            return None
        return account.offered(self._number, payload, time.time_ns(), lane=lane, symbol=symbol)

    def written(self, payload: bytes, entry: Entry | None) -> None:
        """A frame went out; without an entry it was no data."""
        account = self.opened()
        if account is None:
            return
        if entry is None:
            account.other(payload)
        else:
            account.sent(entry, time.time_ns())

    def lied(self) -> None:
        """A subscription was confirmed and not made: that keeps frames away until the next, or the end."""
        self._lied_ns = self._lied_ns or time.time_ns()

    def subscribed(self) -> None:
        """A subscription was made."""
        account = self.opened()
        if self._lied_ns and account is not None:
            account.outage(FaultKind.LIE, self._lied_ns, time.time_ns())
        self._lied_ns = 0

    def closed(self) -> None:
        """The socket is gone."""
        self.subscribed()
        if self._account is not None and self._account is self._keeper.account:
            self._account.closed(self._number, time.time_ns())
