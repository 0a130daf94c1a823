"""One client at the Binance simulator."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from virtufin_examples.simulators._account_keeper import AccountKeeper
from virtufin_examples.simulators._client_socket import ClientSocket, TextFrame
from virtufin_examples.simulators._faults import FaultKind, Faults
from virtufin_examples.venues.binance import parse_stream
from virtufin_examples.venues.binance.server import CLOSE_POLICY, Outcome, StreamServer


class Owner(Protocol):
    """The simulator, as its connections see it."""

    max_buffered_bytes: int
    faults: Faults
    keeper: AccountKeeper

    def venue_now(self) -> float:
        """Seconds on the clock of limits, pings and the day."""

    def connected(self, connection: BinanceConnection) -> None:
        """A client is there."""

    def disconnected(self, connection: BinanceConnection) -> None:
        """A client is gone."""

    def changed(self, added: tuple[str, ...]) -> None:
        """A client's subscription has changed."""


class BinanceConnection(ClientSocket):
    """A client: its socket and its session."""

    def __init__(self, owner: Owner, server: StreamServer) -> None:
        super().__init__(owner.faults, owner.keeper)
        self.server = server
        self._owner = owner

    def opened(self) -> None:
        """Subscribe to what the URL names."""
        self._owner.connected(self)
        self._answer(self.server.opened(self._owner.venue_now()))

    def message(self, payload: bytes, *, binary: bool) -> None:
        """Have a message answered, truly or not."""
        outcome = self.server.received(payload, self._owner.venue_now(), binary=binary)
        if outcome.added and self._owner.faults.take(FaultKind.LIE):
            self.server.withhold(outcome.added)
            outcome = replace(outcome, added=())
            self._account.lied()
        elif outcome.added:
            self._account.subscribed()
        self._answer(outcome)

    def pinged(self) -> None:
        """Count a ping."""
        self.carry_out(self.server.pinged(self._owner.venue_now()))

    def ponged(self, payload: bytes) -> None:
        """Take a pong."""
        self.carry_out(self.server.ponged(payload, self._owner.venue_now()))

    def gone(self) -> None:
        """Tell the simulator."""
        self._owner.disconnected(self)

    def carry_out(self, outcome: Outcome) -> None:
        """Send a session's answers and ping, then close if it says so."""
        self.send_answers(TextFrame(answer) for answer in outcome.answers)
        if outcome.ping:
            self.send_ping(outcome.ping)
        if outcome.close:
            self.close(outcome.close)

    def send_event(self, stream: str, encoded: bytes) -> None:
        """Send an event if it is wanted; a client that does not keep up is cut."""
        if not self.server.wants(stream):
            return
        frame = TextFrame(self.server.frame(stream, encoded))
        self.send_data((frame,), lane=stream, symbol=parse_stream(stream).symbol)
        if self.buffered_bytes > self._owner.max_buffered_bytes:
            self.close(CLOSE_POLICY)

    def _answer(self, outcome: Outcome) -> None:
        self.carry_out(outcome)
        self._owner.changed(outcome.added)
