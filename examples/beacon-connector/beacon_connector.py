"""Beacon: a login over HTTP, a token in the socket's URL, joins topic by topic, and heartbeats."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
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
    Heartbeat,
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
    json_of,
    option_seconds,
)

LOGIN = b'{"user": "${secret:beacon/user}", "password": "${secret:beacon/password}"}'
JSON = {"Content-Type": "application/json"}
EVENT = re.compile(rb'\["event","([^"]{1,64})",(\d{1,19}),')


class BeaconSession(Session):
    """One connection's view of the protocol, over all its sockets."""

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        super().__init__(url, options)
        self.login_url = options.get("login_url", f"https://{urlsplit(url).netloc}/login")
        self.renew_seconds = option_seconds(options, "renew_seconds", 60.0, most=3600.0)
        self.token = Credential("", expires_ns=1)  # one that opens nothing any more
        self.topics: set[str] = set()  # what is wanted, over all sockets
        self.asked: set[tuple[str, str]] = set()  # verb and topic of what this socket has not answered
        self.heartbeat: Heartbeat = Heartbeat(b'["beat"]', 5.0, is_answered=True)

    def before_connect(self, now_ns: int) -> Sequence[HttpRequest]:
        if self.token.lasts(now_ns, self.renew_seconds):
            return ()
        return (HttpRequest("login", self.login_url, "POST", JSON, LOGIN),)

    def responded(self, request: HttpRequest, response: HttpResponse, now_ns: int) -> Verdict | None:
        if response.status >= 400:
            return super().responded(request, response, now_ns)
        answer = json.loads(response.body)
        self.token = Credential(answer["token"], now_ns + int(answer["expires_in"] * 1e9))
        return None

    def target(self, now_ns: int) -> Target:
        return Target(f"{self.url}?{urlencode({'token': self.token.value})}")

    def opened(self) -> None:
        self.asked.clear()

    def folds(self, payload: bytes) -> bool:
        return read(payload)[0] != ""

    def check(self, payload: bytes, *, binary: bool) -> None:
        verb, topic = read(payload)
        if verb and not topic:
            raise InvalidInputError("message: no topic is named", hint='["join", "prices:ABC"]')

    def sent(self, payload: bytes, *, binary: bool, lasting: bool = True) -> None:
        verb, topic = read(payload)
        if verb:
            self.asked.add((verb, topic))
        if verb and lasting:
            (self.topics.add if verb == "join" else self.topics.discard)(topic)

    def subscriptions(self) -> Sequence[Outgoing]:
        return [Outgoing(json.dumps(["join", topic]).encode()) for topic in sorted(self.topics)]

    def expects(self) -> int:
        return len(self.asked)

    def is_control(self, payload: bytes) -> bool:
        return not payload.startswith(b'["event"')

    def received(self, payload: bytes, *, binary: bool) -> Verdict | None:
        match json_of(payload):
            case ["joined" | "left" as answer, str(topic)]:
                self.asked.discard(("join" if answer == "joined" else "leave", topic))
                return Acknowledged()
            case ["refused", str(topic), reason]:
                self.asked.discard(("join", topic))
                self.topics.discard(topic)
                return Refused(0, f"{topic}: {reason}", Disposition.NOTE)
            case ["beat"]:
                self.heartbeat.answered()
        return None

    def peek(self, payload: bytes) -> Sequence[Seen]:
        event = EVENT.match(payload)
        return (Seen(event[1].decode(), first=int(event[2]), last=int(event[2])),) if event else ()

    def wanted(self) -> frozenset[str]:
        return frozenset(self.topics)

    def symbols_with(self, payload: bytes) -> int:
        verb, topic = read(payload)
        return len(self.topics | {topic} if verb == "join" else self.topics)

    def tick(self, now_ns: int) -> Sequence[Effect]:
        due = super().tick(now_ns)  # the heartbeat
        if self.token.lasts(now_ns, self.renew_seconds):
            return due
        return (Leaving("the token expires soon"), *due)


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
        scope = f"beacon {urlsplit(url).netloc}"
        return VenueLimits(scope, connects=Budget(60, 60.0), messages=Budget(10, 1.0), sockets=3, symbols=50)


def read(payload: bytes) -> tuple[str, str]:
    """Return verb and topic of a join or leave; two empty texts for what is neither."""
    match json_of(payload):
        case ["join" | "leave" as verb, str(topic)]:
            return verb, topic
        case ["join" | "leave" as verb]:
            return verb, ""
    return "", ""
