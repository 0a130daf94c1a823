"""The venue's view of a stream connection, as a state machine without I/O or clock."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.binance._codec import combined, decode, encode
from virtufin_examples.venues.binance._endpoints import Endpoint
from virtufin_examples.venues.binance._limits import Limits
from virtufin_examples.venues.binance._messages import ServerShutdown
from virtufin_examples.venues.binance._streams import ARRAYS, CHANNELS, is_carried, parse_stream
from virtufin_examples.venues.binance.server._outcome import CLOSE_GOING_AWAY, CLOSE_POLICY, Outcome

_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_TEXT_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_MOST_ID = 2**63
_NO_ID = object()
_SHUTDOWN_STREAM = "!serverShutdown"


class StreamServer:
    """One client of a raw or combined socket.

    The shell calls `opened` once, `received` for each message, `pinged` and `ponged` for control frames,
    `tick` about every second; `now` is seconds on any steady clock. A stream on the wrong path of USD-M
    futures and one with a symbol in upper case are taken and never delivered, as by the venue.
    """

    def __init__(self, endpoint: Endpoint, limits: Limits) -> None:
        self.endpoint = endpoint
        self._limits = limits
        self._combined = endpoint.combined
        self._streams: dict[str, None] = {}
        self._opened_at = 0.0
        self._ping_at = 0.0
        self._unanswered: dict[bytes, float] = {}
        self._pings = 0
        self._heard: deque[float] = deque()

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams subscribed to, in the order of asking."""
        return tuple(self._streams)

    def wants(self, stream: str) -> bool:
        """Whether a stream's events go to this client."""
        symbol = stream.partition("@")[0]
        return (
            stream in self._streams
            and is_carried(stream, self.endpoint)
            and (symbol == symbol.lower() or stream in ARRAYS)
        )

    def frame(self, stream: str, encoded: bytes) -> bytes:
        """Return an event as this client gets it."""
        return combined(stream, encoded) if self._combined else encoded

    # --- what happens ---

    def opened(self, now: float) -> Outcome:
        """Start the clocks and subscribe to what the URL names; a stream that does not exist is ignored."""
        self._opened_at = now
        self._ping_at = now + self._limits.ping_seconds
        names = tuple(dict.fromkeys(name for name in self.endpoint.streams if self._exists(name)))
        if len(names) > self._limits.streams:
            return Outcome(close=CLOSE_POLICY)
        self._streams = dict.fromkeys(names)
        return Outcome(added=names)

    def received(self, payload: bytes, now: float, *, binary: bool = False) -> Outcome:
        """Answer a client's message; too many of them cut it."""
        if self._is_too_fast(now):
            return Outcome(close=CLOSE_POLICY)
        try:
            message = decode(b"" if binary else payload)
        except InvalidInputError:
            return _error(3, "Invalid JSON: expected value at line 1 column 1")
        if not isinstance(message, dict):
            return _error(2, "Invalid request: expected an object")
        return self._malformed(message) or self._request(message)

    def pinged(self, now: float) -> Outcome:
        """Count a ping; the shell answers it."""
        return Outcome(close=CLOSE_POLICY if self._is_too_fast(now) else 0)

    def ponged(self, payload: bytes, now: float) -> Outcome:
        """Take a pong: one with a ping's payload answers that ping and all before it; others only count."""
        if payload in self._unanswered:
            sent_at = self._unanswered[payload]
            self._unanswered = {key: at for key, at in self._unanswered.items() if at > sent_at}
        return Outcome(close=CLOSE_POLICY if self._is_too_fast(now) else 0)

    def tick(self, now: float) -> Outcome:
        """Ping when it is time; cut a client that does not answer or has lived a day."""
        if now - self._opened_at >= self._limits.life_seconds:
            return Outcome(close=CLOSE_GOING_AWAY)
        oldest = min(self._unanswered.values(), default=now)
        if now - oldest >= self._limits.pong_seconds:
            return Outcome(close=CLOSE_POLICY)
        if now < self._ping_at:
            return Outcome()
        self._ping_at = now + self._limits.ping_seconds
        self._pings += 1
        payload = str(self._pings).encode()
        self._unanswered[payload] = now
        return Outcome(ping=payload)

    def shutdown(self, now_ms: int) -> Outcome:
        """Announce that the server goes away."""
        return Outcome((self.frame(_SHUTDOWN_STREAM, encode(ServerShutdown(now_ms))),))

    def withhold(self, streams: Iterable[str]) -> None:
        """Undo a subscription that was confirmed: the confirmation was a lie. Asking again ends it."""
        for name in streams:
            self._streams.pop(name, None)

    # --- inside ---

    def _is_too_fast(self, now: float) -> bool:
        self._heard.append(now)
        while self._heard[0] <= now - 1.0:
            self._heard.popleft()
        return len(self._heard) > self._limits.messages_a_second

    def _malformed(self, message: Mapping[str, object]) -> Outcome | None:
        """The error of a message that is no request at all."""
        request_id = message.get("id", _NO_ID)
        if "method" not in message:
            return _error(2, "Invalid request: missing field `method` at line 1 column 2", request_id)
        method = message["method"]
        if method not in _METHODS:
            known = ", ".join(f"`{name}`" for name in _METHODS)
            return _error(
                2, f"Invalid request: unknown variant `{method}`, expected one of {known} at line 1 column 2"
            )
        if not self._is_id(request_id):
            return _error(2, "Invalid request: request ID must be an unsigned integer")
        if not isinstance(message.get("params", []), list):
            return _error(2, "Invalid request: params must be a list", request_id)
        return None

    def _request(self, message: Mapping[str, object]) -> Outcome:
        request_id, method = message["id"], message["method"]
        given = message.get("params")
        params = given if isinstance(given, list) else []
        if method == "LIST_SUBSCRIPTIONS":
            if params:
                return _error(2, "Invalid request: too many parameters", request_id)
            return _result(list(self._streams), request_id)
        if method in {"SUBSCRIBE", "UNSUBSCRIBE"}:
            return self._change(params, request_id, subscribe=method == "SUBSCRIBE")
        return self._property(params, request_id, is_set=method == "SET_PROPERTY")

    def _is_id(self, request_id: object) -> bool:
        if request_id is None:
            return True
        if isinstance(request_id, int) and not isinstance(request_id, bool):
            return -_MOST_ID <= request_id < _MOST_ID
        return isinstance(request_id, str) and _TEXT_ID.fullmatch(request_id) is not None

    def _change(self, params: list[object], request_id: object, *, subscribe: bool) -> Outcome:
        names = [name for name in params if isinstance(name, str) and self._exists(name)]
        if not params or len(names) != len(params):
            return _error(2, "Invalid request: invalid stream", request_id)
        if not subscribe:
            for name in names:
                self._streams.pop(name, None)
            return _result(None, request_id)
        if len(self._streams.keys() | set(names)) > self._limits.streams:
            return _error(2, "Invalid request: too many streams", request_id)
        added = tuple(name for name in dict.fromkeys(names) if name not in self._streams)
        self._streams |= dict.fromkeys(names)
        return _result(None, request_id, added)

    def _property(self, params: list[object], request_id: object, *, is_set: bool) -> Outcome:
        if not params or not isinstance(params[0], str):
            return _error(2, "Invalid request: property name must be a string", request_id)
        if params[0] != "combined":
            return _error(0, "Unknown property", request_id)
        if len(params) > (2 if is_set else 1):
            return _error(2, "Invalid request: too many parameters", request_id)
        if not is_set:
            return _result(self._combined, request_id)
        if len(params) < 2 or not isinstance(params[1], bool):
            return _error(1, "Invalid value type: expected Boolean", request_id)
        self._combined = params[1]
        return _result(None, request_id)

    def _exists(self, name: str) -> bool:
        stream = parse_stream(name)
        return name in ARRAYS or (bool(stream.symbol) and stream.channel in CHANNELS[self.endpoint.market])


def _result(result: object, request_id: object, added: tuple[str, ...] = ()) -> Outcome:
    return Outcome(
        (encode({"result": result, "id": None if request_id is _NO_ID else request_id}),), added=added
    )


def _error(code: int, text: str, request_id: object = _NO_ID) -> Outcome:
    """An error in the form that the servers send; the documents show it without the outer object."""
    answer: dict[str, object] = {"error": {"code": code, "msg": text}}
    if request_id is not _NO_ID:
        answer["id"] = request_id
    return Outcome((encode(answer),))
