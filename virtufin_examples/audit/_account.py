"""What a venue did: sockets, frames offered and sent, outages injected. Pure; times are Unix nanoseconds."""

from __future__ import annotations

import hashlib

import msgspec

from virtufin_examples.errors import InvalidInputError

ACCOUNT_VERSION = 1
_DIGEST_BYTES = 16


def content_digest(data: bytes) -> bytes:
    """Return what tells a frame by its content."""
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()


class Entry(msgspec.Struct, array_like=True):
    """A data frame that was meant for a socket; `copies` is how often it was written, last at `sent_ns`."""

    socket: int
    lane: int
    digest: bytes
    offered_ns: int
    sent_ns: int = 0
    copies: int = 0


class SocketLife(msgspec.Struct, array_like=True):
    """A socket; `closed_ns` is 0 while it is open."""

    opened_ns: int
    closed_ns: int = 0


class Lane(msgspec.Struct, array_like=True, frozen=True):
    """What one connection brings in order; `symbol` as gaps name it, empty for many."""

    name: str
    symbol: str


class Outage(msgspec.Struct, array_like=True, frozen=True):
    """An injected fault, and from when until when it kept frames away (the same: an instant)."""

    kind: str
    from_ns: int
    to_ns: int


class _Written(msgspec.Struct, tag_field="kind", tag="virtufin.audit.account"):
    """The JSON form."""

    version: int
    sockets: list[SocketLife]
    lanes: list[Lane]
    entries: list[Entry]
    others: list[bytes]
    outages: list[Outage]


class VenueAccount:
    """Kept by a venue while it runs. Entries are in the order in which the venue made the frames."""

    def __init__(self) -> None:
        self.sockets: list[SocketLife] = []
        self.lanes: list[Lane] = []
        self.entries: list[Entry] = []
        self.others: set[bytes] = set()
        self.outages: list[Outage] = []
        self._lane_numbers: dict[tuple[str, str], int] = {}

    # --- what the venue tells ---

    def opened(self, now_ns: int) -> int:
        """A socket is open; return its number."""
        self.sockets.append(SocketLife(now_ns))
        return len(self.sockets) - 1

    def closed(self, socket: int, now_ns: int) -> None:
        """A socket is gone; the first call counts."""
        life = self.sockets[socket]
        life.closed_ns = life.closed_ns or now_ns

    def offered(self, socket: int, data: bytes, now_ns: int, *, lane: str, symbol: str = "") -> Entry:
        """A data frame is meant for a socket; whether it goes out, `sent` tells."""
        key = (lane, symbol)
        number = self._lane_numbers.get(key)
        if number is None:
            number = self._lane_numbers[key] = len(self.lanes)
            self.lanes.append(Lane(lane, symbol))
        entry = Entry(socket, number, content_digest(data), now_ns)
        self.entries.append(entry)
        return entry

    def sent(self, entry: Entry, now_ns: int) -> None:
        """It was written, maybe once more."""
        entry.copies += 1
        entry.sent_ns = now_ns

    def other(self, data: bytes) -> None:
        """Something that is no data frame was written: an answer, garbage."""
        self.others.add(content_digest(data))

    def outage(self, kind: str, from_ns: int, to_ns: int) -> None:
        """A fault was injected; `from_ns` and `to_ns` are the same for one of an instant."""
        self.outages.append(Outage(kind, from_ns, to_ns))

    # --- as bytes ---

    def encode(self) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode(
            _Written(
                ACCOUNT_VERSION, self.sockets, self.lanes, self.entries, sorted(self.others), self.outages
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> VenueAccount:
        """Read what `encode` wrote; raises `InvalidInputError`."""
        try:
            written = msgspec.json.decode(data, type=_Written)
        except msgspec.DecodeError as error:
            raise InvalidInputError(f"account: {error}", hint="ask the simulator for it again") from error
        if written.version != ACCOUNT_VERSION:
            raise InvalidInputError(
                f"account: version {written.version}, this program reads {ACCOUNT_VERSION}"
            )
        account = cls()
        account.sockets, account.lanes, account.entries = written.sockets, written.lanes, written.entries
        account.others, account.outages = set(written.others), written.outages
        account._lane_numbers = {(lane.name, lane.symbol): n for n, lane in enumerate(account.lanes)}
        return account
