"""What an epoch asks of its connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from virtufin_examples.connections._continuity import Continuity
    from virtufin_examples.connections._epoch import Epoch
    from virtufin_examples.connections._handshake import HandshakeMessage
    from virtufin_examples.connections._link import Link


class EpochHost(Protocol):
    """The connection, as one of its epochs sees it."""

    @property
    def handshake(self) -> tuple[HandshakeMessage, ...]: ...

    def opened(self, epoch: Epoch) -> None:
        """It is open."""

    def waiting(self, seconds: float) -> bool:
        """The venue's connect budget is spent for so long; return whether to wait for it."""

    def went_up(self, epoch: Epoch, replayed: int) -> None:
        """A socket is open and its handshake answered."""

    def data_flows(self, epoch: Epoch, now_ns: int, *, answered: bool) -> None:
        """The first data since a break are here; `answered`: so is all that the handshake asked for."""

    def went_live(self, epoch: Epoch) -> None:
        """The venue has answered all that was sent, also what the worker sent by hand."""

    def ticked(self, epoch: Epoch) -> None:
        """Another second of a socket that is up."""

    def wants_successor(self, epoch: Epoch, reason: str) -> None:
        """This socket will end by plan."""

    def noted(self, error_type: str, reason: str) -> None: ...

    def low(self) -> None: ...

    def handshake_changed(self) -> None:
        """The venue refused a change of the wanted set."""


class Sockets(Protocol):
    """The connection's sockets."""

    @property
    def continuity(self) -> Continuity | None: ...

    def join(self, epoch: Epoch, link: Link) -> None:
        """A socket is about to open."""
