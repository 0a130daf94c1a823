"""The client's view of the trading stream (`trade_updates`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import (
    Acknowledged,
    Authenticated,
    Disposition,
    Outgoing,
    Refused,
    Session,
    Verdict,
)
from virtufin_examples.venues.alpaca._codec import WireEncoding, decode, encode
from virtufin_examples.venues.alpaca._codes import error_code
from virtufin_examples.venues.alpaca._requests import AUTH_ACTIONS, check_references

_WORDS = (b"authorization", b"listening")
_SCAN_BYTES = 256


class TradingSession(Session):
    """Session of `/stream`. A `listen` replaces the set of streams; its answer lists those in force.

    Frames may be binary and still hold JSON (the paper endpoint's do), so the opcode is not looked at.
    """

    def __init__(self, url: str = "", options: Mapping[str, str] | None = None) -> None:
        super().__init__(url, options)
        self._wanted: tuple[str, ...] = ()
        self._asked: deque[str] = deque()

    def opened(self) -> None:
        """A new socket listens to nothing; what is wanted stays."""
        self._asked.clear()

    def expects(self) -> int:
        """Answers outstanding: one for each authentication and each listen."""
        return len(self._asked)

    def subscriptions(self) -> list[Outgoing]:
        """Return the listen, when something is listened to."""
        if not self._wanted:
            return []
        message = {"action": "listen", "data": {"streams": list(self._wanted)}}
        return [Outgoing(encode(message, WireEncoding.JSON))]

    def folds(self, payload: bytes) -> bool:
        """Return whether a message is a listen."""
        try:
            message = decode(payload)
        except InvalidInputError:
            return False
        return isinstance(message, dict) and message.get("action") == "listen"

    def check(self, payload: bytes, *, binary: bool) -> None:  # noqa: ARG002 - the port's signature
        """Check that only an authentication holds references to secrets."""
        check_references(payload)

    def quiet_seconds(self) -> float:
        """Return 0: orders are silent for as long as nobody trades."""
        return 0.0

    def sent(self, payload: bytes, *, binary: bool, lasting: bool = True) -> None:  # noqa: ARG002 - the port's
        """Note a message; others than authentication and listen are not answered."""
        try:
            message = decode(payload)
        except InvalidInputError:
            return  # the venue's to refuse: the user sent it verbatim
        if not isinstance(message, dict):
            return
        action = message.get("action")
        if action in AUTH_ACTIONS:
            self._asked.append("authenticate")
        elif action == "listen":
            data = message.get("data")
            streams = data.get("streams") if isinstance(data, dict) else None
            listened = tuple(str(name) for name in streams) if isinstance(streams, list) else ()
            self._wanted = listened if lasting else self._wanted
            self._asked.append("listen")

    def received(self, payload: bytes, *, binary: bool) -> Verdict | None:  # noqa: ARG002 - the port's signature
        """Read a frame; None for trade updates."""
        if not self.is_control(payload):
            return None
        try:
            message = decode(payload)
        except InvalidInputError as error:
            return Refused(0, error.message, Disposition.NOTE)
        data = message.get("data") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(data, dict):
            return None
        if message.get("stream") == "authorization":
            return self._authorization(str(data.get("status")), str(data.get("action", "authenticate")))
        return self._listening(data.get("streams")) if message.get("stream") == "listening" else None

    def is_control(self, payload: bytes) -> bool:
        """Tell by a word near the start, whatever the encoding."""
        head = payload[:_SCAN_BYTES]
        return any(word in head for word in _WORDS)

    def _authorization(self, status: str, action: str) -> Verdict:
        listening = action == "listen"
        self._answered("listen" if listening else "authenticate")
        if status == "authorized":
            return Authenticated()
        entry = error_code(401 if listening else 402)
        return Refused(entry.code, f"{status}; {entry.hint}", entry.disposition)

    def _listening(self, streams: object) -> Acknowledged:
        self._answered("listen")
        if "listen" in self._asked:  # a later listen replaces this one
            return Acknowledged()
        in_force = streams if isinstance(streams, list) else []
        return Acknowledged(tuple(name for name in self._wanted if name not in in_force))

    def _answered(self, action: str) -> None:
        if action in self._asked:
            self._asked.remove(action)
