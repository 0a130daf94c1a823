"""How a socket ended, and what that asks of its connection. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from virtufin_examples.connections._socket import SocketEnd
from virtufin_examples.frames import Cause
from virtufin_examples.venues import Disposition, Refused

PLANNED = "Planned"
_ABNORMAL_CLOSURE = 1006


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a socket is gone or did not come about, and what that asks of us."""

    reason: str
    error_type: str = ""  # empty: an orderly close; `PLANNED`: a socket that we replace
    cause: Cause = Cause.RECONNECT
    permanent: bool = False
    wait_seconds: float = 0.0


def refused_ending(refused: Refused) -> Ending:
    """Return what a venue's refusal means."""
    return Ending(
        f"{refused.code} {refused.reason}",
        "VenueRefused",
        permanent=refused.disposition is Disposition.PERMANENT,
        wait_seconds=refused.wait_seconds,
    )


def socket_ending(end: SocketEnd) -> Ending:
    """Return what the end of a socket means."""
    reason = f"socket closed with {end.code}" + (f": {end.reason}" if end.reason else "")
    if end.violation:
        return Ending(reason, "ProtocolViolation", cause=Cause.PROTOCOL)
    return Ending(reason, "SocketLost" if end.code == _ABNORMAL_CLOSURE else "")
