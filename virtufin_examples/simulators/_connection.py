"""One client at the Alpaca simulator: messages to answers, outcomes to frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from virtufin_examples.simulators._account_keeper import AccountKeeper
from virtufin_examples.simulators._client_socket import ClientSocket
from virtufin_examples.simulators._exchange import Client, Exchange
from virtufin_examples.simulators._faults import FaultKind, Faults
from virtufin_examples.venues.alpaca import Answer
from virtufin_examples.venues.alpaca.server import AnyServer, Outcome


class Owner(Protocol):
    """The simulator, as its connections see it."""

    max_buffered_bytes: int
    faults: Faults
    keeper: AccountKeeper

    def now(self) -> float:
        """Seconds on a steady clock."""

    def connected(self, connection: Connection) -> None:
        """A client is there."""

    def disconnected(self, connection: Connection) -> None:
        """A client is gone."""

    def changed(self, connection: Connection, outcome: Outcome) -> None:
        """A client's message was answered; its subscription may have changed."""


class Connection(ClientSocket):
    """A client: its socket, its session, its endpoint's exchange."""

    def __init__(self, owner: Owner, exchange: Exchange, server: AnyServer) -> None:
        super().__init__(owner.faults, owner.keeper)
        self.exchange = exchange
        self.client = Client(server)
        self._owner = owner

    @property
    def server(self) -> AnyServer:
        """The protocol session."""
        return self.client.server

    def opened(self) -> None:
        """Greet."""
        self._owner.connected(self)
        self.carry_out(self.server.opened(self._owner.now()))

    def message(self, payload: bytes, *, binary: bool) -> None:
        """Have a message answered, truly or not."""
        outcome = self.server.received(payload, binary=binary)
        if outcome.added and self._owner.faults.take(FaultKind.LIE):
            self.server.withhold(outcome.added)
            outcome = replace(outcome, added=())
            self._account.lied()
        elif outcome.added:
            self._account.subscribed()
        self.carry_out(outcome)
        self._owner.changed(self, outcome)

    def gone(self) -> None:
        """Give everything back."""
        self.server.closed()
        self._owner.disconnected(self)

    def carry_out(self, outcome: Outcome) -> None:
        """Send a session's answers, then close if it says so."""
        self.send_answers(outcome.answers)
        if outcome.close:
            self.close(outcome.close)

    def send(self, answers: Iterable[Answer]) -> None:
        """Send data; a client that does not keep up is cut."""
        self.send_data(answers, lane=self.server.endpoint.path)
        if self.buffered_bytes > self._owner.max_buffered_bytes:
            self.carry_out(self.server.overrun())

    def close(self, code: int) -> None:
        """Close; a client that is being closed gets no more data."""
        super().close(code)
        self.exchange.leave(self.client)
