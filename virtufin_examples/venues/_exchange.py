"""What passes between the connection core and a venue's session: values only."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

_SECOND_NS = 1_000_000_000


class Disposition(enum.StrEnum):
    """What a venue's error asks of us."""

    NOTE = "note"  # the socket is fine; tell the user
    RETRY = "retry"  # reconnect with back-off
    WAIT = "wait"  # reconnect after at least `wait_seconds`
    PERMANENT = "permanent"  # never try again with the same input


# --- towards the venue ---


@dataclass(frozen=True, slots=True)
class Target:
    """Where one epoch's socket goes. Both may hold references to secrets (`${secret:name/entry}`)."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send."""

    payload: bytes = field(repr=False)
    binary: bool = False


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request that the core makes for a session; `name` tells the session what the answer is to.

    Url, headers and body may hold references to secrets; they are resolved for the host of `url`.
    """

    name: str
    url: str = field(repr=False)
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Credential:
    """Something that opens a venue until `expires_ns` (Unix time); 0: for ever."""

    value: str = field(repr=False)
    expires_ns: int = 0

    def lasts(self, now_ns: int, seconds: float = 0.0) -> bool:
        """Whether it is still good in `seconds`."""
        return self.expires_ns == 0 or now_ns + int(seconds * _SECOND_NS) < self.expires_ns


# --- from the venue ---


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The venue took the credentials."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The venue confirmed a subscription; `missing` are wanted symbols that it left out."""

    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue sent an error."""

    code: int
    reason: str
    disposition: Disposition
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Leaving:
    """This socket will end by plan (a shutdown announced, a token that expires): open another in time."""

    reason: str


@dataclass(frozen=True, slots=True)
class Backfilled:
    """Messages that the stream missed, fetched in another way: published flagged `backfill`."""

    payloads: tuple[bytes, ...] = field(repr=False)


Verdict: TypeAlias = Authenticated | Acknowledged | Refused | Leaving | Outgoing | Backfilled
"""What a frame or an HTTP answer means; an `Outgoing` is the reply that it wants."""

Effect: TypeAlias = Outgoing | HttpRequest | Leaving | Refused
"""What a session asks for of its own accord."""


def one_message(payload: bytes) -> Sequence[bytes]:
    """Return what a frame is made of where the venue packs nothing: itself."""
    return (payload,)


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What `peek` finds in a frame for one symbol: the venue's own numbers, 0 where it has none.

    `channel` and `symbol` together name a run of numbers. `previous` is the last number before this frame
    where the venue says so (Binance futures: `pu`); else a `gapless` run goes on with `first` one above the
    last. Without `gapless` the numbers only rise: they tell one frame from another, but no hole.
    """

    symbol: str
    channel: str = ""
    first: int = 0
    last: int = 0
    previous: int = 0
    gapless: bool = True
