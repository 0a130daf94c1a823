"""The connector port: what the connection core asks of a venue's protocol.

Two classes with a default for everything, so that a venue says only what is special about it. A `Connector`
is the plugin (entry point group `virtufin.connectors`) and has no state; a `Session` is one connection's view
of the protocol over all its sockets. Neither does I/O nor looks at a clock: times are arguments, in Unix
nanoseconds.

The life of a session, epoch by epoch:

1. `before_connect` names HTTP requests, `responded` reads their answers, until it names none;
2. `target` says where the socket goes;
3. `opened`; then what is remembered is sent again, and `subscriptions` after it, one part after the other:
   for each `outgoing` translates, `sent` notes, `received` reads the answer within `answer_seconds`;
4. when `expects` is 0 the connection is live: `live`, and `tick` about every second, name effects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from virtufin_examples.venues._about import Claim, ErrorRule
from virtufin_examples.venues._exchange import (
    Disposition,
    Effect,
    HttpRequest,
    HttpResponse,
    Outgoing,
    Refused,
    Seen,
    Target,
    Verdict,
    one_message,
)
from virtufin_examples.venues._heartbeat import Heartbeat
from virtufin_examples.venues._limits import VenueLimits
from virtufin_examples.venues._options import Option, require_known
from virtufin_examples.venues._retry_after import retry_after_seconds

ANSWER_SECONDS = 10.0
"""How long a venue may take to answer one message, unless its session knows better."""

_PERMANENT = frozenset({400, 401, 403, 404, 405, 410, 426})
_WAIT = frozenset({418, 429, 503})


class Session:
    """One connection's view of the protocol. As it stands: every frame is data, nothing is answered."""

    observes = False
    """True: `observe` is shown every frame that comes in."""

    reads_answers = True
    """False: no frame is ever a control message, so that none need be looked at."""

    def __init__(self, url: str = "", options: Mapping[str, str] | None = None) -> None:
        self.url = url
        self.options = dict(options or {})
        self.heartbeat: Heartbeat | None = None
        """What `live` starts and `tick` sends, unless they are overridden without a call to these."""

    # --- a new socket ---

    def before_connect(self, now_ns: int) -> Sequence[HttpRequest]:  # noqa: ARG002 - the port's signature
        """Return the requests without which no socket can open now (a login); asked again after them."""
        return ()

    def responded(self, request: HttpRequest, response: HttpResponse, now_ns: int) -> Verdict | None:
        """Read the answer to a request. By default an error is sorted as that of an upgrade is."""
        del request, now_ns
        if response.status < 400:
            return None
        return sorted_status(response.status, response.headers, "HTTP status")

    def target(self, now_ns: int) -> Target:  # noqa: ARG002 - the port's signature
        """Return where this epoch's socket goes: the URL (a token in it) and the upgrade's headers."""
        return Target(self.url)

    def opened(self) -> None:
        """A new socket: forget what the venue had confirmed on the old one; keep what is wanted."""

    def subscriptions(self) -> Sequence[Outgoing]:
        """Return the messages that ask for the whole wanted set: what `folds` claimed, in its last state.

        They hold no secret: they are written down and replayed after a restart. They are also sent again on
        a socket that brings nothing, so that asking for what is there already must change nothing.
        """
        return ()

    # --- messages out ---

    def folds(self, payload: bytes) -> bool:  # noqa: ARG002 - the port's signature
        """Return whether a message changes the wanted set; `sent` does it, `subscriptions` shows it."""
        return False

    def check(self, payload: bytes, *, binary: bool) -> None:
        """Raise `InvalidInputError` or `ResourceLimitError` for what the venue cannot take; nothing is sent
        then.
        """

    def symbols_with(self, payload: bytes) -> int:  # noqa: ARG002 - the port's signature
        """Return how many symbols (streams) one socket would have with a message; b"": as it is.

        `VenueLimits.symbols` is kept by it. 0: they cannot be counted.
        """
        return 0

    def outgoing(self, payload: bytes, *, binary: bool) -> Outgoing:
        """Translate a message, its secrets resolved, into what the endpoint takes (JSON to msgpack)."""
        return Outgoing(payload, binary)

    def sent(self, payload: bytes, *, binary: bool, lasting: bool = True) -> None:
        """Note a message that went out, as it was before `outgoing`; secrets are still references in it.

        `lasting` is False for one that is meant for this socket only: it does not change the wanted set.
        """

    def answer_seconds(self, payload: bytes) -> float:  # noqa: ARG002 - the port's signature
        """Return how long the venue may take to answer a message."""
        return ANSWER_SECONDS

    # --- messages in ---

    def is_control(self, payload: bytes) -> bool:  # noqa: ARG002 - the port's signature
        """Tell cheaply (no parse) whether a frame may be a control message."""
        return False

    def controls(self, payloads: Sequence[bytes]) -> Sequence[int]:
        """Return which of one read's frames `is_control` claims: their places, rising.

        What follows from `is_control` is right for every session. One that can tell faster that a whole read
        holds none may say so here: hundreds of frames may come in one read.
        """
        is_control = self.is_control
        return [place for place, payload in enumerate(payloads) if is_control(payload)]

    def received(self, payload: bytes, *, binary: bool) -> Verdict | None:  # noqa: ARG002 - the port's
        """Read a frame; None for data. Called for frames that `is_control` claims, and for all while
        answers are outstanding.
        """
        return None

    def expects(self) -> int:
        """Return how many answers to what was sent are outstanding: 0 means the handshake is complete."""
        return 0

    def peek(self, payload: bytes) -> Sequence[Seen]:  # noqa: ARG002 - the port's signature
        """Find the symbols of a data frame and the venue's numbers by a bounded scan.

        Called on a sample of the frames, and on every one only where that is asked for, control messages
        among them.
        """
        return ()

    def messages(self, payload: bytes) -> Sequence[bytes]:
        """Return the messages that the venue packed into a data frame, in the bytes in which they are there.

        Of two sockets that carry the same without numbers, each message counts: a venue may pack them into
        other frames on the other one. As it stands, a frame is one message.
        """
        return one_message(payload)

    def stretches(self, payloads: Sequence[bytes]) -> Sequence[Seen] | None:  # noqa: ARG002 - the port's
        """Tell at once what `peek` finds in a read's frames; None, the default: ask `peek` of each.

        One `Seen` for each run of numbers: `first` and `previous` of its first frame in the read, `last` of
        its last. Only where each gapless run goes on from frame to frame, so that no hole lies inside, and
        no frame is one that `is_control` claims: they are not looked for then.
        """
        return None

    def observe(self, payload: bytes) -> None:
        """See a frame that the stream has taken; only with `observes`."""

    def missed(self, from_ns: int, to_ns: int) -> None:
        """Take note that the stream has a gap between two times, which has just ended.

        What was missed may be fetched (`tick` asks for a request, `responded` returns `Backfilled`). Not
        called for the gap of a restart: nobody knows what the last process had.
        """

    def takes_over(self, old: Session) -> None:
        """Take what another session still had to do: its socket gives way to this one's, by plan.

        What a gap missed and was not fetched yet would be forgotten with it.
        """

    def backfill(self) -> str:
        """Return, for people, whether what a gap missed is fetched (`on`, `off`); empty: it cannot be."""
        return ""

    # --- while it lives ---

    def live(self, now_ns: int) -> Sequence[Effect]:
        """Return what is to be done once the handshake is complete; `sent` is not told of its messages."""
        if self.heartbeat is not None:
            self.heartbeat.start(now_ns)
        return ()

    def tick(self, now_ns: int) -> Sequence[Effect]:
        """Return what is due now: an application heartbeat, a token to renew. Called about every second."""
        return () if self.heartbeat is None else self.heartbeat.due(now_ns)

    def is_open(self, now_ns: int) -> bool:  # noqa: ARG002 - the port's signature
        """Return whether the market is open, so that silence means something."""
        return True

    def quiet_seconds(self) -> float | None:
        """Return the longest silence of an open market that is still normal; None: learn it."""
        return None

    def wanted(self) -> frozenset[str] | None:
        """Return the symbols that are wanted, spelled as `peek` spells them; None: not known, or all.

        The data of what is not wanted may stop without anybody being told.
        """
        return None

    def acknowledged(self) -> frozenset[str] | None:
        """Return those of the wanted symbols that the venue has confirmed on this socket; None: not known."""
        return None


class Connector:
    """A venue's plugin. As it stands: claims no URL and has no limits; every frame is data."""

    name = ""
    description = ""
    """One line for `virtufin connectors list`."""
    own_options: Sequence[Option] = ()
    """Options of this venue, besides the common ones."""
    claimed: Sequence[Claim] = ()
    """Examples of the URLs that it claims, one of each kind."""
    handshake = ""
    """What a worker has to send, and how the venue answers, in a sentence or two."""
    errors: Sequence[ErrorRule] = ()
    """What the venue sends on the socket when it refuses; HTTP statuses are `upgrade_refused`'s."""

    def claims(self, url: str) -> bool:  # noqa: ARG002 - the port's signature
        """Whether a URL is this venue's."""
        return False

    def session(self, url: str, options: Mapping[str, str]) -> Session:
        """Return a fresh session; `InvalidInputError` for an option that the venue does not have."""
        self.check_options(options)
        return Session(url, options)

    def check_options(self, options: Mapping[str, str]) -> None:
        """Raise `InvalidInputError` for an option that is neither the venue's nor a common one."""
        require_known(self.name, options, self.own_options)

    def limits(self, url: str, options: Mapping[str, str]) -> VenueLimits:  # noqa: ARG002 - the port's
        """Return what the venue allows; the connections with the same scope share it."""
        return VenueLimits(scope="")

    def upgrade_refused(self, status: int, headers: Mapping[str, str]) -> Refused:
        """Sort an HTTP answer other than 101."""
        return sorted_status(status, headers, "HTTP status")


def sorted_status(status: int, headers: Mapping[str, str], what: str) -> Refused:
    """Sort by what a status means in HTTP: a client's fault is permanent, the rest is tried again.

    418, 429 and 503 wait for as long as Retry-After says.
    """
    reason = f"{what} {status}"
    if status in _WAIT:
        return Refused(status, reason, Disposition.WAIT, retry_after_seconds(headers) or 0.0)
    return Refused(status, reason, Disposition.PERMANENT if status in _PERMANENT else Disposition.RETRY)
