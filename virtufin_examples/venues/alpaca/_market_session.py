"""The client's view of a market-data connection: what was asked, what the venue confirmed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import (
    Acknowledged,
    Authenticated,
    Disposition,
    Refused,
    Verdict,
)
from virtufin_examples.venues.alpaca._codec import decode
from virtufin_examples.venues.alpaca._codes import UNSOLICITED, error_code
from virtufin_examples.venues.alpaca._endpoints import ANSWERED_CHANNELS, FOLLOWERS, Endpoint

_ALL = "*"
_AUTH_CODES = frozenset({402, 403, 406, 408, 409, 411})

# Alpaca writes T first. A data message's type is one letter; a control message's is a word.
_JSON_START = b'[{"T":"'
_JSON_WORDS = (b'"success"', b'"subscription"', b'"error"')
_JSON_STARTS = b"[{ \t\r\n"
_MSGPACK_ONE = b"\x91"  # an array of one
_MSGPACK_KEY = b"\xa1T"
_MSGPACK_TYPE_AT = 4  # after the array's head, the map's, and the key
_MSGPACK_LETTER = 0xA1
_MSGPACK_WORDS = (b"\xa7success", b"\xacsubscription", b"\xa5error")
_SCAN_BYTES = 256

Entry = tuple[str, str]  # channel, symbol


@dataclass(slots=True)
class _Asked:
    """A message that waits for its answer; `change` is what it does to the set."""

    action: str
    entries: frozenset[Entry] = field(default_factory=frozenset)
    before: frozenset[Entry] = field(default_factory=frozenset)


class MarketSession:
    """Session of a stock, crypto, option or news endpoint.

    Alpaca answers every message in order, and each (un)subscribe with the whole set. Symbols that are
    wanted and not in the set are reported as missing.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._channels = frozenset(ANSWERED_CHANNELS[endpoint.kind]) - FOLLOWERS
        self._wanted: frozenset[Entry] = frozenset()
        self._asked: deque[_Asked] = deque()

    @property
    def wanted(self) -> frozenset[Entry]:
        """(channel, symbol) pairs that were asked for and not refused, over all sockets."""
        return self._wanted

    def opened(self) -> None:
        """A new socket has no subscription; what is wanted stays."""
        self._asked.clear()

    def expects(self) -> int:
        """Answers outstanding: one for each message sent."""
        return len(self._asked)

    def sent(self, payload: bytes, *, binary: bool) -> None:  # noqa: ARG002 - the port's signature
        """Note a message; one that cannot be read is answered by the venue with 400."""
        try:
            message = decode(payload)
        except InvalidInputError:
            message = None
        action = message.get("action") if isinstance(message, dict) else None
        asked = _Asked(str(action), before=self._wanted)
        if isinstance(message, dict) and action in {"subscribe", "unsubscribe"}:
            asked.entries = self._entries(message)
            if action == "subscribe":
                self._wanted |= asked.entries
            else:
                self._wanted -= asked.entries
        self._asked.append(asked)

    def received(self, payload: bytes, *, binary: bool) -> Verdict | None:  # noqa: ARG002 - the port's signature
        """Read a frame; None for data and for the greeting."""
        if not self.is_control(payload):
            return None
        try:
            frame = decode(payload)
        except InvalidInputError as error:
            return Refused(0, error.message, Disposition.NOTE)
        message = frame[0] if isinstance(frame, list) and len(frame) == 1 else None
        return self._verdict(message) if isinstance(message, dict) else None

    def _verdict(self, message: Mapping[str, object]) -> Verdict | None:
        match message.get("T"):
            case "success" if message.get("msg") == "authenticated":
                self._answered({"auth"})
                return Authenticated()
            case "subscription":
                return self._acknowledged(message)
            case "error":
                return self._refused(message)
            case _:
                return None

    def is_control(self, payload: bytes) -> bool:
        """Tell by the first bytes: control messages come alone, and their type is a word."""
        if payload.startswith(_JSON_START):
            return payload[8:9] != b'"'
        words = _JSON_WORDS
        if payload[:1] not in _JSON_STARTS:
            if payload[:1] != _MSGPACK_ONE:
                return False
            if payload[2:4] == _MSGPACK_KEY:
                return len(payload) > _MSGPACK_TYPE_AT and payload[_MSGPACK_TYPE_AT] != _MSGPACK_LETTER
            words = _MSGPACK_WORDS
        head = payload[:_SCAN_BYTES]
        return any(word in head for word in words)

    def _entries(self, message: Mapping[str, object]) -> frozenset[Entry]:
        entries: set[Entry] = set()
        for channel, symbols in message.items():
            if channel in self._channels and isinstance(symbols, list):
                entries.update((channel, str(symbol)) for symbol in symbols)
        return frozenset(entries)

    def _answered(self, actions: set[str]) -> _Asked | None:
        """Take the oldest message with one of these actions: answers come in the order of the questions."""
        for asked in self._asked:
            if asked.action in actions:
                self._asked.remove(asked)
                return asked
        return None

    def _acknowledged(self, message: Mapping[str, object]) -> Acknowledged:
        self._answered({"subscribe", "unsubscribe"})
        in_force = self._entries(message)
        # With questions open, later changes are not in this answer yet.
        if any(asked.entries for asked in self._asked):
            return Acknowledged()
        return Acknowledged(_missing(self._wanted, in_force))

    def _refused(self, message: Mapping[str, object]) -> Refused:
        raw = message.get("code")
        code = raw if isinstance(raw, int) else 0
        entry = error_code(code)
        asked: _Asked | None = None
        if code in _AUTH_CODES:
            asked = self._answered({"auth"})
        elif code not in UNSOLICITED and self._asked:
            asked = self._asked.popleft()
        reason = str(message.get("msg") or entry.message)
        if asked is not None and asked.entries:
            self._undo(asked)
            reason += f" (left as it was: {', '.join(_names(asked.entries))})"
        if entry.hint:
            reason += f"; {entry.hint}"
        return Refused(code, reason, entry.disposition, entry.wait_seconds)

    def _undo(self, asked: _Asked) -> None:
        """A refused change leaves the venue's set as it was."""
        if asked.action == "subscribe":
            self._wanted -= asked.entries - asked.before
        else:
            self._wanted |= asked.entries & asked.before


def _names(entries: frozenset[Entry]) -> tuple[str, ...]:
    return tuple(sorted({symbol for _, symbol in entries}))


def _missing(wanted: frozenset[Entry], in_force: frozenset[Entry]) -> tuple[str, ...]:
    return _names(
        frozenset(
            (channel, symbol)
            for channel, symbol in wanted
            if (channel, symbol) not in in_force and (channel, _ALL) not in in_force
        )
    )
