"""The client's view of a Binance socket: what was asked, what the venue confirmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import (
    Acknowledged,
    Disposition,
    Effect,
    Leaving,
    Outgoing,
    Refused,
    Seen,
    Session,
    Target,
    Verdict,
    json_of,
)
from virtufin_examples.venues.binance._codec import decode
from virtufin_examples.venues.binance._codes import STREAM_ERRORS
from virtufin_examples.venues.binance._control import controls, is_control
from virtufin_examples.venues.binance._endpoints import Market, endpoint_of, with_streams
from virtufin_examples.venues.binance._in_force import InForce
from virtufin_examples.venues.binance._layouts import Layouts
from virtufin_examples.venues.binance._peek import peek
from virtufin_examples.venues.binance._requests import (
    LIST_SUBSCRIPTIONS,
    SUBSCRIBE,
    UNSUBSCRIBE,
    list_message,
    subscribe_message,
)
from virtufin_examples.venues.binance._streams import check_streams, is_carried, parse_stream

_FIRST_OWN_ID = 1_000_000_000  # ids of our own messages: far from those that programs count up from 1
_STREAMS_A_MESSAGE = 200
_SHUTDOWN = b'"serverShutdown"'
_SCAN_BYTES = 96


@dataclass(slots=True)
class _Asked:
    """A message that waits for its answer; `before` is the wanted set without it."""

    request_id: object
    method: str
    streams: tuple[str, ...] = ()
    before: frozenset[str] = field(default_factory=frozenset)


class BinanceSession(Session):
    """Session of a raw or combined socket.

    The wanted set is what the URL names and what SUBSCRIBE and UNSUBSCRIBE made of it. A new socket's URL
    names those of its own streams that are still wanted; the others are subscribed to again. Binance confirms
    a subscription without looking at it, so that once live, and after each change, the session asks for the
    list and compares; what was confirmed and not made is asked for again.
    """

    def __init__(
        self, url: str, options: Mapping[str, str] | None = None, market: Market | None = None
    ) -> None:
        super().__init__(url, options)
        self._endpoint = endpoint_of(url, market)
        check_streams(self._endpoint.streams)
        self._in_url = self._endpoint.streams
        self._wanted: dict[str, None] = dict.fromkeys(self._in_url)  # in the order of asking
        self._asked: list[_Asked] = []
        self._in_force = InForce()
        self._next_id = _FIRST_OWN_ID
        self._exact_runs = True
        self._layouts = Layouts(combined=self._endpoint.combined, futures=self.market is Market.USD_M)
        self._note_runs()

    @property
    def market(self) -> Market:
        """What is traded there."""
        return self._endpoint.market

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that are wanted, over all sockets."""
        return tuple(self._wanted)

    # --- a new socket ---

    def target(self, now_ns: int) -> Target:  # noqa: ARG002 - the port's signature
        """Return the URL with those of its streams that are still wanted."""
        kept = self._kept_in_url()
        return Target(self.url if kept == self._in_url else with_streams(self.url, kept))

    def opened(self) -> None:
        """A new socket has what its URL names; nothing is outstanding."""
        self._asked.clear()
        self._in_force.opened(self._kept_in_url())

    def subscriptions(self) -> Sequence[Outgoing]:
        """Return SUBSCRIBE messages for what is wanted beyond the URL."""
        names = [name for name in self._wanted if name not in self._in_url]
        return [
            Outgoing(subscribe_message(names[start : start + _STREAMS_A_MESSAGE], self._own_id()))
            for start in range(0, len(names), _STREAMS_A_MESSAGE)
        ]

    # --- messages out ---

    def folds(self, payload: bytes) -> bool:
        """Return whether it is a SUBSCRIBE or UNSUBSCRIBE."""
        asked = _read_request(payload)
        return asked is not None and asked.method in {SUBSCRIBE, UNSUBSCRIBE}

    def check(self, payload: bytes, *, binary: bool) -> None:  # noqa: ARG002 - the port's signature
        """Check that the symbols of a subscription are in lower case."""
        asked = _read_request(payload)
        if asked is not None and asked.method == SUBSCRIBE:
            check_streams(asked.streams)

    def symbols_with(self, payload: bytes) -> int:
        """Count the streams that would be wanted."""
        asked = _read_request(payload) if payload else None
        added = asked.streams if asked is not None and asked.method == SUBSCRIBE else ()
        return len(self._wanted.keys() | set(added))

    def outgoing(self, payload: bytes, *, binary: bool) -> Outgoing:  # noqa: ARG002 - the port's signature
        """Return the message as text: Binance reads no binary frames."""
        return Outgoing(payload)

    def sent(self, payload: bytes, *, binary: bool, lasting: bool = True) -> None:  # noqa: ARG002 - the port's
        """Note a message; one that cannot be read is answered by the venue with code 2 or 3."""
        asked = _read_request(payload) or _Asked(None, "")
        asked.before = frozenset(self._wanted)
        self._asked.append(asked)
        if lasting:
            self._want(asked)

    # --- messages in ---

    def is_control(self, payload: bytes) -> bool:
        """Tell by the first bytes: no event starts as answers do."""
        return is_control(payload)

    def controls(self, payloads: Sequence[bytes]) -> Sequence[int]:
        """Tell by the least and the greatest frame that there are none."""
        return controls(payloads)

    def received(self, payload: bytes, *, binary: bool) -> Verdict | None:  # noqa: ARG002 - the port's
        """Read an answer or a shutdown; None for data."""
        if not is_control(payload):
            return None
        if _SHUTDOWN in payload[:_SCAN_BYTES]:
            return Leaving("Binance announces that this server shuts down")
        try:
            answer = decode(payload)
        except InvalidInputError as error:
            return Refused(0, error.message, Disposition.NOTE)
        return self._verdict(answer) if isinstance(answer, dict) else None

    def expects(self) -> int:
        """Answers outstanding: one for each message."""
        return len(self._asked)

    def peek(self, payload: bytes) -> Sequence[Seen]:
        """Find symbol and update ids."""
        return peek(payload, exact_runs=self._exact_runs)

    def stretches(self, payloads: Sequence[bytes]) -> Sequence[Seen] | None:
        """Follow the update ids of a whole read."""
        is_exact = self._exact_runs or self._endpoint.combined
        return self._layouts.stretches(payloads) if is_exact else None

    # --- while it lives ---

    def live(self, now_ns: int) -> Sequence[Effect]:  # noqa: ARG002 - the port's signature
        """Ask which streams there are: the confirmations say nothing about it."""
        return self._ask_for_list() if self._wanted else ()

    def tick(self, now_ns: int) -> Sequence[Effect]:  # noqa: ARG002 - the port's signature
        """Ask again for what was confirmed and not made, and for the list after a change."""
        if self._asked:
            return ()
        lost = [name for name in self._in_force.take_lost() if name in self._wanted]
        if lost:
            request_id = self._own_id()
            self._asked.append(_Asked(request_id, SUBSCRIBE, tuple(lost), frozenset(self._wanted)))
            return (Outgoing(subscribe_message(lost, request_id)),)
        return self._ask_for_list() if self._in_force.is_to_check else ()

    def wanted(self) -> frozenset[str] | None:
        """The symbols of the wanted streams, in upper case; None with a stream of all symbols."""
        symbols = frozenset(stream.symbol for stream in map(parse_stream, self._wanted))
        return None if "" in symbols else symbols

    def acknowledged(self) -> frozenset[str] | None:
        """The wanted symbols of which every stream is in force."""
        wanted = self.wanted()
        if wanted is None:
            return None
        in_force = self._in_force.names
        absent = (name for name in self._wanted if name not in in_force or not self._is_carried(name))
        return wanted.difference(parse_stream(name).symbol for name in absent)

    # --- inside ---

    def _kept_in_url(self) -> tuple[str, ...]:
        return tuple(name for name in self._in_url if name in self._wanted)

    def _ask_for_list(self) -> tuple[Outgoing]:
        request_id = self._own_id()
        self._asked.append(_Asked(request_id, LIST_SUBSCRIPTIONS))
        return (Outgoing(list_message(request_id)),)

    def _is_carried(self, name: str) -> bool:
        return is_carried(name, self._endpoint)

    def _own_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _want(self, asked: _Asked) -> None:
        if asked.method == SUBSCRIBE:
            self._wanted |= dict.fromkeys(asked.streams)
        elif asked.method == UNSUBSCRIBE:
            for name in asked.streams:
                self._wanted.pop(name, None)
        self._note_runs()

    def _note_runs(self) -> None:
        """Find out whether two diff streams of one symbol mix: on a raw socket nothing tells them apart."""
        symbols = [stream.symbol for stream in map(parse_stream, self._wanted) if stream.is_diff_depth]
        self._exact_runs = len(symbols) == len(set(symbols))

    def _verdict(self, answer: Mapping[str, object]) -> Verdict:
        request_id = answer.get("id")
        refusal = answer.get("error", answer if "code" in answer else None)
        if isinstance(refusal, dict):
            return self._refused(refusal, self._answered(request_id, any_id=request_id is None))
        asked = self._answered(request_id, any_id=False)
        if asked is None:
            reason = f"an answer with id {request_id!r}, which nothing was sent with"
            return Refused(0, reason, Disposition.NOTE)
        result = answer.get("result")
        if asked.method == LIST_SUBSCRIPTIONS and isinstance(result, list):
            return Acknowledged(self._missing(frozenset(str(name) for name in result)))
        if asked.method == SUBSCRIBE:
            self._in_force.added(asked.streams)
        elif asked.method == UNSUBSCRIBE:
            self._in_force.removed(asked.streams)
        return Acknowledged(self._missing(None))

    def _answered(self, request_id: object, *, any_id: bool) -> _Asked | None:
        """Take the message that an answer is for; an error without an id is for the oldest."""
        for asked in self._asked:
            if any_id or asked.request_id == request_id:
                self._asked.remove(asked)
                return asked
        return None

    def _refused(self, error: Mapping[str, object], asked: _Asked | None) -> Refused:
        raw = error.get("code")
        code = raw if isinstance(raw, int) else 0
        reason = str(error.get("msg") or STREAM_ERRORS.get(code, "no reason given"))
        if asked is not None and asked.method == LIST_SUBSCRIPTIONS:
            self._in_force.unlisted()
        if asked is not None and asked.streams:
            self._undo(asked)
            reason += f" (left as it was: {', '.join(asked.streams[:10])})"
        return Refused(code, reason, Disposition.NOTE)

    def _undo(self, asked: _Asked) -> None:
        """A refused change leaves the venue's set as it was."""
        for name in asked.streams:
            if name in asked.before:
                self._wanted[name] = None
            else:
                self._wanted.pop(name, None)
        self._note_runs()

    def _missing(self, in_force: frozenset[str] | None) -> tuple[str, ...]:
        """Wanted streams that are not in force, or that this path never delivers.

        While changes are outstanding a list does not hold them yet.
        """
        if any(asked.streams for asked in self._asked):
            in_force = None
        if in_force is not None:
            self._in_force.listed(in_force, filter(self._is_carried, self._wanted))
        return tuple(
            name
            for name in self._wanted
            if (in_force is not None and name not in in_force) or not self._is_carried(name)
        )


def _read_request(payload: bytes) -> _Asked | None:
    message = json_of(payload)
    if not isinstance(message, dict):
        return None  # the venue's to refuse: the worker sent it verbatim
    params = message.get("params")
    names = tuple(str(name) for name in params) if isinstance(params, list) else ()
    method = str(message.get("method"))
    return _Asked(message.get("id"), method, names if method in {SUBSCRIBE, UNSUBSCRIBE} else ())
