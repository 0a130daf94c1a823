"""Beacon: a login over HTTP, a token in the socket's URL, joins topic by topic, and heartbeats."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import (
    Acknowledged,
    Budget,
    Claim,
    Connector,
    Credential,
    Disposition,
    Effect,
    ErrorRule,
    HttpRequest,
    HttpResponse,
    Leaving,
    Option,
    Outgoing,
    Refused,
    Seen,
    Session,
    Target,
    VenueLimits,
    Verdict,
)

SECOND_NS = 1_000_000_000
BEAT_SECONDS = 5.0
MAX_RENEW_SECONDS = 3600.0
LOGIN = b'{"user": "${secret:beacon/user}", "password": "${secret:beacon/password}"}'
EVENT = re.compile(rb'\["event","([^"]{1,64})",(\d{1,19}),')


class BeaconSession(Session):
    """One connection's view of the protocol, over all its sockets."""

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        super().__init__(url, options)
        parts = urlsplit(url)
        scheme = "https" if parts.scheme == "wss" else "http"
        self.login_url = options.get("login_url", f"{scheme}://{parts.netloc}/login")
        self.renew_seconds = _seconds(options.get("renew_seconds", "60"))
        self.token: Credential | None = None
        self.topics: set[str] = set()  # what is wanted, over all sockets
        self.asked: list[tuple[str, str]] = []  # verb and topic of what this socket has not answered
        self.beat_ns = 0
        self.beat_answered = True

    def before_connect(self, now_ns: int) -> Sequence[HttpRequest]:
        if self.token is not None and self.token.lasts(now_ns, self.renew_seconds):
            return ()
        headers = {"Content-Type": "application/json"}
        return (HttpRequest("login", self.login_url, "POST", headers, LOGIN),)

    def responded(self, request: HttpRequest, response: HttpResponse, now_ns: int) -> Verdict | None:
        if response.status >= 400:
            return super().responded(request, response, now_ns)
        answer = json.loads(response.body)
        lifetime_ns = int(answer["expires_in"] * SECOND_NS)
        self.token = Credential(answer["token"], now_ns + lifetime_ns)
        return None

    def target(self, now_ns: int) -> Target:
        assert self.token is not None  # noqa: S101 - before_connect saw to it
        return Target(f"{self.url}?{urlencode({'token': self.token.value})}")

    def opened(self) -> None:
        self.asked.clear()
        self.beat_answered = True

    def folds(self, payload: bytes) -> bool:
        return _read(payload)[0] in {"join", "leave"}

    def check(self, payload: bytes, *, binary: bool) -> None:
        verb, topic = _read(payload)
        if verb in {"join", "leave"} and not topic:
            raise InvalidInputError("message: no topic is named", hint='["join", "prices:ABC"]')

    def sent(self, payload: bytes, *, binary: bool, lasting: bool = True) -> None:
        verb, topic = _read(payload)
        if verb not in {"join", "leave"}:
            return
        self.asked.append((verb, topic))
        if lasting:
            (self.topics.add if verb == "join" else self.topics.discard)(topic)

    def subscriptions(self) -> Sequence[Outgoing]:
        return [Outgoing(json.dumps(["join", topic]).encode()) for topic in sorted(self.topics)]

    def expects(self) -> int:
        return len(self.asked)

    def answer_seconds(self, payload: bytes) -> float:
        return 5.0

    def is_control(self, payload: bytes) -> bool:
        return not payload.startswith(b'["event"')

    def received(self, payload: bytes, *, binary: bool) -> Verdict | None:
        if not self.is_control(payload):
            return None
        match json.loads(payload):
            case ["joined" | "left" as verb, topic]:
                self._answered("join" if verb == "joined" else "leave", topic)
                return Acknowledged()
            case ["refused", topic, reason]:
                self._answered("join", topic)
                self.topics.discard(topic)
                return Refused(0, f"{topic}: {reason}", Disposition.NOTE)
            case ["beat"]:
                self.beat_answered = True
        return None

    def _answered(self, verb: str, topic: str) -> None:
        if (verb, topic) in self.asked:
            self.asked.remove((verb, topic))

    def peek(self, payload: bytes) -> Sequence[Seen]:
        event = EVENT.match(payload)
        if event is None:
            return ()
        number = int(event[2])
        return (Seen(event[1].decode(), first=number, last=number),)

    def wanted(self) -> frozenset[str]:
        return frozenset(self.topics)

    def symbols_with(self, payload: bytes) -> int:
        verb, topic = _read(payload)
        return len(self.topics | {topic} if verb == "join" else self.topics)

    def live(self, now_ns: int) -> Sequence[Effect]:
        self.beat_ns = now_ns
        return ()

    def tick(self, now_ns: int) -> Sequence[Effect]:
        due: list[Effect] = []
        if self.token is not None and not self.token.lasts(now_ns, self.renew_seconds):
            due.append(Leaving("the token expires soon"))
        if now_ns - self.beat_ns >= BEAT_SECONDS * SECOND_NS:
            if not self.beat_answered:
                return (Refused(0, "a heartbeat was not answered", Disposition.RETRY),)
            self.beat_ns, self.beat_answered = now_ns, False
            due.append(Outgoing(b'["beat"]'))
        return due


class BeaconConnector(Connector):
    """The plugin: one object for all connections, without state."""

    name = "beacon"
    description = "Beacon: prices by topic"
    own_options = (
        Option("login_url", "where the token is to be had", "/login of the URL's host"),
        Option("renew_seconds", "how long before its end a token is renewed", "60"),
    )
    claimed = (Claim("wss://feed.beacon.example/socket", "prices"),)
    handshake = 'The worker sends ["join", TOPIC], one by one; each is answered. The login is made for it.'
    errors = (ErrorRule("refused", "no such topic: the others go on", Disposition.NOTE),)

    def claims(self, url: str) -> bool:
        return urlsplit(url).hostname == "feed.beacon.example"

    def session(self, url: str, options: Mapping[str, str]) -> BeaconSession:
        self.check_options(options)
        return BeaconSession(url, options)

    def limits(self, url: str, options: Mapping[str, str]) -> VenueLimits:
        host = urlsplit(url).netloc
        return VenueLimits(
            f"beacon {host}", connects=Budget(60, 60.0), messages=Budget(10, 1.0), sockets=3, symbols=50
        )


def _read(payload: bytes) -> tuple[str, str]:
    """Return verb and topic of a message of ours; two empty texts for what is none."""
    try:
        message: Any = json.loads(payload)
    except ValueError:
        return "", ""
    if not isinstance(message, list) or not all(isinstance(part, str) for part in message):
        return "", ""
    verb, topic, *_ = (*message, "", "")
    return verb, topic


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= MAX_RENEW_SECONDS:
        raise InvalidInputError(f'options: renew_seconds is "{text}"', hint="give 0 to 3600")
    return seconds
