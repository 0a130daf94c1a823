"""The client's view of a market-data connection: what was asked, what the venue confirmed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import (
    Acknowledged,
    Authenticated,
    Disposition,
    Effect,
    HttpRequest,
    HttpResponse,
    Outgoing,
    Refused,
    Seen,
    Session,
    Target,
    Verdict,
)
from virtufin_examples.venues.alpaca._backfill import backfill_of, can_backfill
from virtufin_examples.venues.alpaca._codec import MSGPACK_CONTENT_TYPE, WireEncoding, decode, transcode
from virtufin_examples.venues.alpaca._codes import UNSOLICITED, error_code
from virtufin_examples.venues.alpaca._endpoints import ANSWERED_CHANNELS, FOLLOWERS, Endpoint
from virtufin_examples.venues.alpaca._hours import StreamHours
from virtufin_examples.venues.alpaca._limits import COUNTED
from virtufin_examples.venues.alpaca._peek import messages, peek
from virtufin_examples.venues.alpaca._requests import check_references, subscribe_message

_ALL = "*"
_CHANGES = ("subscribe", "unsubscribe")  # no set: what a user sends as the action need not be hashable
_AUTH_CODES = frozenset({402, 403, 406, 408, 409, 411})

# Alpaca writes T first. A data message's type is one letter; a control message's is a word.
_JSON_START = b'[{"T":"'
_JSON_WORDS = (b'"success"', b'"subscription"', b'"error"')
_JSON_STARTS = b"[{ \t\r\n"
_JSON_DATA_HEADS = frozenset(_JSON_START + bytes((letter,)) + b'"' for letter in range(256))
_HEAD = itemgetter(slice(len(_JSON_START) + 2))
_MSGPACK_ONE = b"\x91"  # an array of one
_MSGPACK_KEY = b"\xa1T"
_MSGPACK_TYPE_AT = 4  # after the array's head, the map's, and the key
_MSGPACK_LETTER = 0xA1
_MSGPACK_WORDS = (b"\xa7success", b"\xacsubscription", b"\xa5error")
_SCAN_BYTES = 256
_PART_SYMBOLS = 1000  # of one message of the replay: what a venue refuses, it refuses a message at a time

Entry = tuple[str, str]  # channel, symbol


@dataclass(slots=True)
class _Asked:
    """A message that waits for its answer; `entries` are what it adds to the set or takes from it."""

    action: str
    entries: frozenset[Entry] = frozenset()
    lasting: bool = True

    def applied(self, entries: frozenset[Entry], *, lasting: bool) -> frozenset[Entry]:
        """The wanted set, or with `lasting` False the passing one, after this message."""
        if self.action == "subscribe" and self.lasting is lasting:
            return entries | self.entries
        if self.action == "unsubscribe" and (self.lasting or not lasting):
            return entries - self.entries
        return entries


class MarketSession(Session):
    """Session of a stock, crypto, option or news endpoint.

    Alpaca answers every message in order, and each (un)subscribe with the whole set. Symbols that are
    wanted and not in the set are reported as missing.
    """

    def __init__(self, endpoint: Endpoint, url: str = "", options: Mapping[str, str] | None = None) -> None:
        super().__init__(url, options)
        self._msgpack_only = endpoint.msgpack_only
        self._backfill = backfill_of(endpoint, url, self.options)
        self._can_backfill = can_backfill(endpoint)
        self.observes = self._backfill is not None
        self._hours = StreamHours(endpoint, url)
        self._counted = COUNTED.get(endpoint.kind, frozenset())
        self._channels = frozenset(ANSWERED_CHANNELS[endpoint.kind]) - FOLLOWERS
        # What stood before the oldest message that is still unanswered: a refusal takes one message out of
        # the row, and what later ones ask for stays asked for.
        self._settled: frozenset[Entry] = frozenset()
        self._settled_passing: frozenset[Entry] = frozenset()
        self._asked: deque[_Asked] = deque()
        self._in_force: frozenset[Entry] = frozenset()

    @property
    def entries(self) -> frozenset[Entry]:
        """(channel, symbol) pairs that were asked for and not refused, over all sockets."""
        entries = self._settled
        for asked in self._asked:
            entries = asked.applied(entries, lasting=True)
        return entries

    @property
    def _passing(self) -> frozenset[Entry]:
        """Pairs that were asked for on this socket only."""
        entries = self._settled_passing
        for asked in self._asked:
            entries = asked.applied(entries, lasting=False)
        return entries

    def wanted(self) -> frozenset[str] | None:
        """Return their symbols; None with a star, which may be any."""
        symbols = frozenset(symbol for _, symbol in self.entries | self._passing)
        return None if _ALL in symbols else symbols

    def acknowledged(self) -> frozenset[str] | None:
        """Return those that the venue's last answer has in every channel in which they are wanted."""
        wanted = self.wanted()
        if wanted is None:
            return None
        return wanted.difference(_missing(self.entries | self._passing, self._in_force))

    def is_open(self, now_ns: int) -> bool:
        """Return whether the regular session is on; what stands in for Alpaca is always open."""
        return self._hours.is_open(now_ns)

    def quiet_seconds(self) -> float | None:
        """Return 0 for streams that are silent at times though all is well: news and the night's trades."""
        return self._hours.quiet_seconds

    def target(self, now_ns: int) -> Target:  # noqa: ARG002 - the port's signature
        """Return the URL; the option streams, which speak msgpack only, need to be told so."""
        return Target(self.url, {"Content-Type": MSGPACK_CONTENT_TYPE} if self._msgpack_only else {})

    def outgoing(self, payload: bytes, *, binary: bool) -> Outgoing:
        """Spell a JSON message in msgpack where the endpoint takes nothing else."""
        if not self._msgpack_only or binary:
            return Outgoing(payload, binary)
        try:
            return Outgoing(transcode(payload, WireEncoding.MSGPACK), binary=True)
        except InvalidInputError:  # the venue's to refuse: the user sent it verbatim
            return Outgoing(payload, binary)

    def opened(self) -> None:
        """A new socket has no subscription; what is wanted stays."""
        if self._backfill is not None:
            self._backfill.reopened()
        self._settled = self.entries
        self._settled_passing = frozenset()
        self._in_force = frozenset()
        self._asked.clear()

    def subscriptions(self) -> list[Outgoing]:
        """Return the messages for the whole wanted set: at most 1,000 symbols of one channel in each."""
        by_channel: dict[str, list[str]] = {}
        for channel, symbol in sorted(self.entries):
            by_channel.setdefault(channel, []).append(symbol)
        return [
            Outgoing(subscribe_message(channel, symbols[start : start + _PART_SYMBOLS]))
            for channel, symbols in by_channel.items()
            for start in range(0, len(symbols), _PART_SYMBOLS)
        ]

    def folds(self, payload: bytes) -> bool:
        """Return whether a message subscribes or unsubscribes, and says nothing that is not understood."""
        try:
            message = decode(payload)
        except InvalidInputError:
            return False
        if not isinstance(message, dict) or message.get("action") not in _CHANGES:
            return False
        named = sum(len(value) for value in message.values() if isinstance(value, list))
        return 0 < named == len(self._entries(message))

    def check(self, payload: bytes, *, binary: bool) -> None:  # noqa: ARG002 - the port's signature
        """Check that only an authentication holds references to secrets."""
        check_references(payload)

    def symbols_with(self, payload: bytes) -> int:
        """Count the entries of the channels that a plan counts."""
        entries = self.entries
        try:
            message = decode(payload) if payload else None
        except InvalidInputError:
            message = None
        if isinstance(message, dict) and message.get("action") == "subscribe":
            entries |= self._entries(message)
        return sum(channel in self._counted for channel, _ in entries)

    def expects(self) -> int:
        """Answers outstanding: one for each message sent."""
        return len(self._asked)

    def sent(self, payload: bytes, *, binary: bool, lasting: bool = True) -> None:  # noqa: ARG002 - the port's
        """Note a message; one that cannot be read is answered by the venue with 400."""
        try:
            message = decode(payload)
        except InvalidInputError:
            message = None
        action = message.get("action") if isinstance(message, dict) else None
        if self._backfill is not None and isinstance(message, dict) and action == "auth":
            self._backfill.authenticated_by(message.get("key"), message.get("secret"))
        asked = _Asked(str(action), lasting=lasting)
        if isinstance(message, dict) and action in _CHANGES:
            asked.entries = self._entries(message)
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

    def controls(self, payloads: Sequence[bytes]) -> Sequence[int]:
        """Tell by the first bytes that there are none, where all are data in JSON as Alpaca writes it."""
        if _JSON_DATA_HEADS.issuperset(map(_HEAD, payloads)):
            return ()
        return super().controls(payloads)

    # --- what was missed ---

    def observe(self, payload: bytes) -> None:
        """Remember what came, so that a backfill publishes nothing twice."""
        if self._backfill is not None:
            self._backfill.observe(payload)

    def missed(self, from_ns: int, to_ns: int) -> None:
        """Plan to fetch a gap's trades and bars."""
        if self._backfill is not None:
            self._backfill.missed(from_ns, to_ns, self.entries)

    def takes_over(self, old: Session) -> None:
        """Fetch what the old session had not fetched yet, and nothing that its socket had brought."""
        if isinstance(old, MarketSession):
            self._fetches_for(old)

    def _fetches_for(self, old: MarketSession) -> None:
        if self._backfill is not None and old._backfill is not None:
            self._backfill.takes_over(old._backfill)

    def backfill(self) -> str:
        """Return whether it is on, where there is a history."""
        if self._backfill is None:
            return "off" if self._can_backfill else ""
        return self._backfill.state

    def tick(self, now_ns: int) -> tuple[Effect, ...]:
        """Return the next request of a backfill."""
        due = self._backfill.due(now_ns) if self._backfill is not None else None
        return () if due is None else (due,)

    def responded(self, request: HttpRequest, response: HttpResponse, now_ns: int) -> Verdict | None:
        """Read a page of a backfill."""
        if self._backfill is None or not self._backfill.answers(request):
            return super().responded(request, response, now_ns)
        return self._backfill.answered(response, now_ns)

    def peek(self, payload: bytes) -> list[Seen]:
        """Find the symbols; Alpaca has no sequence numbers."""
        return peek(payload)

    def messages(self, payload: bytes) -> list[bytes]:
        """Return the messages of a frame's array."""
        return messages(payload)

    # --- inside ---

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
        asked = self._answered({"subscribe", "unsubscribe"})
        if asked is not None:
            self._settled = asked.applied(self._settled, lasting=True)
            self._settled_passing = asked.applied(self._settled_passing, lasting=False)
        in_force = self._in_force = self._entries(message)
        # With questions open, later changes are not in this answer yet.
        if any(asked.entries for asked in self._asked):
            return Acknowledged()
        return Acknowledged(_missing(self.entries | self._passing, in_force))

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
            reason += f" (left as it was: {', '.join(_names(asked.entries))})"
        if entry.hint:
            reason += f"; {entry.hint}"
        return Refused(code, reason, entry.disposition, entry.wait_seconds)


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
