"""The frames that a venue made, lane by lane: one event for all sockets that it was meant for. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from virtufin_examples.audit._account import Entry, VenueAccount


@dataclass(slots=True, eq=False)
class Event:
    """One frame of a lane, the `index`th; `times` counts how often it was handed out, first at `position`."""

    lane: int
    index: int
    digest: bytes
    entries: list[Entry] = field(default_factory=list)
    times: int = 0
    position: int = -1

    @property
    def copies(self) -> int:
        """How often one socket brought it at most; 0: it never went out."""
        return max(entry.copies for entry in self.entries)

    @property
    def times_ns(self) -> list[int]:
        """When it was written, or where it never was, when it would have been."""
        return [entry.sent_ns for entry in self.entries if entry.copies] or [self.entries[0].offered_ns]


class EventTable:
    """All events of an account, by lane and by content."""

    def __init__(self, account: VenueAccount) -> None:
        self.lanes: list[list[Event]] = [[] for _ in account.lanes]
        self.by_digest: dict[bytes, list[Event]] = {}
        self._account = account
        for entry in account.entries:
            self._event(entry).entries.append(entry)

    def _event(self, entry: Entry) -> Event:
        same = self.by_digest.setdefault(entry.digest, [])
        for event in same:
            if event.lane == entry.lane and self._is_another_copy(event, entry):
                return event
        lane = self.lanes[entry.lane]
        event = Event(entry.lane, len(lane), entry.digest)
        lane.append(event)
        same.append(event)
        return event

    def _is_another_copy(self, event: Event, entry: Entry) -> bool:
        """Tell whether an entry is the same frame on a second socket: both were open when it was offered."""
        sockets = self._account.sockets
        return all(
            other.socket != entry.socket
            and (not sockets[other.socket].closed_ns or sockets[other.socket].closed_ns >= entry.offered_ns)
            for other in event.entries
        )
