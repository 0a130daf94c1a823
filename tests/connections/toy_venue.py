"""A venue of a few words, to try the whole port on.

To it go `auth`, `sub A B` and `unsub A`; from it come `!ok`, `!set A B`, `!refused`, `!leave`, `!ask`,
and data `A 5 text`: symbol, number (0: none), text.
"""

from __future__ import annotations

from virtufin_examples.errors import ResourceLimitError
from virtufin_examples.venues import (
    Acknowledged,
    Authenticated,
    Backfilled,
    Connector,
    Credential,
    Disposition,
    HttpRequest,
    Leaving,
    Outgoing,
    Refused,
    Seen,
    Session,
    Target,
    VenueLimits,
)

SECOND_NS = 1_000_000_000


class ToySession(Session):
    def __init__(self, connector, url, options):
        super().__init__(url, options)
        self.connector = connector
        self.observes = connector.observes
        self.symbols = set()
        self.confirmed = frozenset()
        self.outstanding = 0
        self.token = None
        self.beat_ns = 0

    def before_connect(self, now_ns):
        if not self.connector.login or (self.token is not None and self.token.lasts(now_ns)):
            return ()
        return (HttpRequest("login", "https://venue.example/login", "POST", body=b"${secret:venue/key}"),)

    def responded(self, request, response, now_ns):
        if request.name == "history":
            return Backfilled(tuple(response.body.split(b"|")))
        if response.status == 200:
            self.token = Credential(response.body.decode(), now_ns + 60 * SECOND_NS)
            return None
        return super().responded(request, response, now_ns)

    def target(self, now_ns):
        return Target(f"{self.url}?token={self.token.value}" if self.token else self.url, {"x-toy": "1"})

    def opened(self):
        self.outstanding = 0
        self.confirmed = frozenset()

    def subscriptions(self):
        return [Outgoing(f"sub {name}".encode()) for name in sorted(self.symbols)]

    def folds(self, payload):
        return payload.split()[0] in {b"sub", b"unsub"}

    def check(self, payload, *, binary):
        if len(payload.split()) > 10:
            raise ResourceLimitError("message: more than 9 symbols")

    def sent(self, payload, *, binary, lasting=True):
        verb, *names = payload.decode().split()
        self.outstanding += 1
        if verb == "sub" and lasting:
            self.symbols |= set(names)
        elif verb == "unsub":
            self.symbols -= set(names)

    def symbols_with(self, payload):
        verb, *names = payload.decode().split() or [""]
        return len(self.symbols | set(names) if verb == "sub" else self.symbols)

    def answer_seconds(self, payload):
        return 3.0

    def is_control(self, payload):
        return payload.startswith(b"!")

    def received(self, payload, *, binary):
        verb, *names = payload.decode()[1:].split()
        unasked = {"leave": Leaving("the venue shuts down"), "ask": Outgoing(b"answer"), "hello": None}
        if not self.is_control(payload) or verb in unasked:
            return unasked.get(verb)
        self.outstanding -= 1
        if verb == "set":
            self.confirmed = frozenset(names)
            return Acknowledged(tuple(sorted(self.symbols - set(names))))
        if verb == "refused":
            return Refused(400, "no such symbol", Disposition.NOTE)
        return Authenticated()

    def expects(self):
        return self.outstanding

    def peek(self, payload):
        if self.is_control(payload):
            return ()
        symbol, number, *_ = payload.decode().split()
        return (Seen(symbol, first=int(number), last=int(number)),)

    def live(self, now_ns):
        return self.connector.at_live

    def tick(self, now_ns):
        if self.connector.asks:
            return [self.connector.asks.pop()]
        if not self.connector.beat_seconds or now_ns - self.beat_ns < self.connector.beat_seconds * SECOND_NS:
            return ()
        self.beat_ns = now_ns
        return (Outgoing(b"beat"),)

    def observe(self, payload):
        self.connector.observed.append(payload)
        if payload == b"A 0 observe fails":
            raise RuntimeError("observe")

    def missed(self, from_ns, to_ns):
        self.connector.missed.append((from_ns, to_ns))

    def takes_over(self, old):
        if self.connector.missed == ["broken"]:
            raise RuntimeError("takes_over")
        self.connector.took_over.append((old, self))

    def is_open(self, now_ns):
        return self.connector.is_open

    def quiet_seconds(self):
        return self.connector.quiet

    def wanted(self):
        return frozenset(self.symbols)

    def acknowledged(self):
        return self.confirmed & self.symbols


class ToyConnector(Connector):
    name = "toy"

    def __init__(self, **limits):
        self.venue_limits = VenueLimits(scope="toy", **limits)
        self.login = False
        self.observes = False
        self.observed = []
        self.missed = []
        self.took_over = []
        self.asks = []
        self.at_live = []
        self.beat_seconds = 0
        self.is_open = True
        self.quiet = None

    def session(self, url, options):
        self.check_options(options)
        return ToySession(self, url, options)

    def limits(self, url, options):
        return self.venue_limits
