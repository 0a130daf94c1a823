"""Compares what a venue sent with what a subscriber got. Pure; see the package."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from virtufin_examples.audit._account import SocketLife, VenueAccount, content_digest
from virtufin_examples.audit._events import Event, EventTable
from virtufin_examples.audit._handed_out import HandedOut, PlacedGap
from virtufin_examples.audit._result import AuditResult, Finding, FindingKind
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames import Cause, Frame, FrameFlag, Gap, Item, Restored, Stale

ALLOWANCE_NS = 2_000_000_000
"""What healing may take on top of each injected fault."""

_NS_PER_SECOND = 1_000_000_000
_FOREVER_NS = 1 << 62
_OF_SOCKETS = frozenset({Cause.RECONNECT, Cause.PROTOCOL, Cause.RESTART})
_BACKFILL = int(FrameFlag.BACKFILL)


class Auditor:
    """Takes the items of a topic as they are handed out; `audit` compares them with the venue's account.

    `slack_ns` is how far the clocks of venue and subscriber, and what lies between them, may be apart.
    """

    def __init__(self, *, slack_ns: int = 0, allowance_ns: int = ALLOWANCE_NS) -> None:
        self._slack_ns = slack_ns
        self._allowance_ns = allowance_ns
        self._connections: dict[str, HandedOut] = {}

    def received(self, item: Item) -> None:
        """Take an item, in the order in which it was handed out."""
        if isinstance(item, Frame):
            if not int(item.flags) & _BACKFILL:  # an answer to a request, beside the stream
                self._connection(item.connection_id).add_frame(content_digest(item.data), item.sequence)
        elif isinstance(item, Gap):
            self._connection(item.connection_id).add_gap(item)
        elif isinstance(item, (Stale, Restored)):
            self._connection(item.connection_id).add_other(item.sequence)

    def audit(self, account: VenueAccount, *, from_ns: int = 0, until_ns: int = _FOREVER_NS) -> AuditResult:
        """Return the account of what was sent from `from_ns` to `until_ns`.

        Raises `InvalidInputError` for a lane that several connections delivered.
        """
        audit = _Audit(account, self._slack_ns, self._allowance_ns, from_ns, until_ns)
        for handed_out in self._connections.values():
            audit.match(handed_out)
        return audit.result(self._connections)

    def _connection(self, connection_id: str) -> HandedOut:
        found = self._connections.get(connection_id)
        if found is None:
            found = self._connections[connection_id] = HandedOut(connection_id)
        return found


@dataclass(slots=True)
class _Audit:
    """One comparison."""

    account: VenueAccount
    slack_ns: int
    allowance_ns: int
    from_ns: int
    until_ns: int
    table: EventTable = field(init=False)
    owners: dict[int, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    explained: set[int] = field(default_factory=set)  # ids of gaps
    sent: int = 0
    delivered: int = 0
    in_gaps: int = 0

    def __post_init__(self) -> None:
        self.table = EventTable(self.account)

    # --- what was handed out ---

    def match(self, handed_out: HandedOut) -> None:
        """Find the event of each frame of a connection."""
        last: dict[int, int] = {}
        for position, digest in handed_out.digests:
            events = self.table.by_digest.get(digest)
            if events is None:
                if digest not in self.account.others:
                    self._find(FindingKind.UNKNOWN, f"{handed_out.connection_id}: a frame that nobody sent")
                continue
            event = self._choose(events, last, handed_out.connection_id)
            if event is None:
                continue
            event.times += 1
            if event.times == 1:
                event.position = position
                last[event.lane] = max(last.get(event.lane, -1), event.index)
                self._own(event.lane, handed_out.connection_id)

    def _choose(self, events: list[Event], last: dict[int, int], connection_id: str) -> Event | None:
        """Return the event that a frame is; one that is out of place or one too many is a finding."""
        for event in events:
            if event.times == 0 and event.copies and event.index > last.get(event.lane, -1):
                return event
        for event in events:
            if 0 < event.times < event.copies:
                return event
        for event in events:
            if event.times == 0 and event.copies:
                if not self._was_skipped(event, last[event.lane]):
                    self._find(FindingKind.SWAP, f"{self._name(event)} came after a later one", event)
                return event
        kind = FindingKind.REPEAT if events[0].copies else FindingKind.UNKNOWN
        self._find(kind, f"{connection_id}: {self._name(events[0])} once too often", events[0])
        return None

    def _was_skipped(self, event: Event, last: int) -> bool:
        """Tell whether a socket that brought a later frame of the lane, handed out before, left this one out.

        Only another socket had it then, and it may have come by that as late as it was handed out.
        """
        brought = {entry.socket for entry in event.entries if entry.copies}
        later = self.table.lanes[event.lane][event.index + 1 : last + 1]
        return any(
            entry.copies and entry.socket not in brought
            for each in later
            if each.times
            for entry in each.entries
        )

    def _own(self, lane: int, connection_id: str) -> None:
        owner = self.owners.setdefault(lane, connection_id)
        if owner != connection_id:
            raise InvalidInputError(
                f"lane {self.account.lanes[lane].name} came by connections {owner} and {connection_id}",
                hint="audit connections that carry the same apart",
            )

    # --- what was not ---

    def result(self, connections: dict[str, HandedOut]) -> AuditResult:
        """Settle the rest."""
        for lane, events in enumerate(self.table.lanes):
            owner = self.owners.get(lane)
            of_lane = [connections[owner]] if owner is not None else list(connections.values())
            self._settle(events, of_lane)
        injected_ns = _union_ns(
            ((each.from_ns, each.to_ns) for each in self.account.outages), self.from_ns, self.until_ns
        )
        announced_ns = 0
        for handed_out in connections.values():
            self.findings.extend(handed_out.number_findings())
            self._check_gaps(handed_out)
            spans = ((placed.gap.from_ns, placed.gap.to_ns) for placed in handed_out.gaps)
            announced_ns = max(announced_ns, _union_ns(spans, self.from_ns, self.until_ns))
        faults = len(self.account.outages)
        if announced_ns > injected_ns + faults * self.allowance_ns:
            announced, injected = announced_ns / _NS_PER_SECOND, injected_ns / _NS_PER_SECOND
            text = f"{announced:.1f} s announced, {injected:.1f} s injected by {faults} faults"
            self._find(FindingKind.EXCESS, text)
        return AuditResult(
            sent=self.sent,
            delivered=self.delivered,
            in_gaps=self.in_gaps,
            gaps=sum(len(each.gaps) for each in connections.values()),
            faults=faults,
            announced_ns=announced_ns,
            injected_ns=injected_ns,
            findings=tuple(self.findings),
        )

    def _settle(self, events: list[Event], connections: list[HandedOut]) -> None:
        """Look for the gap of each event of a lane that was not handed out."""
        following = [_FOREVER_NS] * len(events)
        after = _FOREVER_NS
        for index in range(len(events) - 1, -1, -1):
            following[index] = after
            if events[index].times:
                after = events[index].position
        before = -1
        for event, after in zip(events, following, strict=True):
            if event.times:
                before = max(before, event.position)
            due = bool(event.copies) and self.from_ns <= max(event.times_ns) <= self.until_ns
            self.sent += due
            if event.times:
                self.delivered += due
                continue
            symbol = self.account.lanes[event.lane].symbol
            gaps = [
                placed
                for connection in connections
                for placed in connection.gaps_between(before, after)
                if not placed.gap.symbols or symbol in placed.gap.symbols
            ]
            containing = [each for each in gaps if self._contains(each.gap, event)]
            self.explained.update(id(each.gap) for each in containing)
            if not due:
                continue
            if containing:
                self.in_gaps += 1
            elif gaps:
                spans = ", ".join(f"{each.gap.cause} {each.gap.from_ns}..{each.gap.to_ns}" for each in gaps)
                text = f"{self._name(event)}, sent at {event.times_ns[0]}, is outside the times of {spans}"
                self._find(FindingKind.BOUNDS, text, event)
            else:
                self._find(FindingKind.LOSS, f"{self._name(event)}, sent at {event.times_ns[0]}", event)

    def _contains(self, gap: Gap, event: Event) -> bool:
        """Tell whether a gap's time holds an event: from when it was made to when it was sent last."""
        made_ns = event.entries[0].offered_ns
        return gap.from_ns - self.slack_ns <= max(event.times_ns) and made_ns <= gap.to_ns + self.slack_ns

    # --- what was announced ---

    def _check_gaps(self, handed_out: HandedOut) -> None:
        closings = [life.closed_ns for life in self._sockets_of(handed_out.connection_id) if life.closed_ns]
        for placed in handed_out.gaps:
            gap = placed.gap
            if id(gap) in self.explained or handed_out.numbers_are_missing(placed):
                continue
            if gap.cause in _OF_SOCKETS and self._is_of_a_break(placed, closings):
                continue
            text = f"{gap.connection_id}: {gap.cause} from {gap.from_ns} to {gap.to_ns}, nothing was missing"
            self.findings.append(Finding(FindingKind.FALSE_GAP, text, gap.from_ns, gap.sequence))

    def _is_of_a_break(self, placed: PlacedGap, closings: list[int]) -> bool:
        """Tell whether a socket ended within a gap's time, or an injected fault kept frames away."""
        low, high = placed.gap.from_ns - self.slack_ns, placed.gap.to_ns + self.slack_ns
        return any(low <= at <= high for at in closings) or any(
            each.from_ns <= high and each.to_ns >= low for each in self.account.outages
        )

    def _sockets_of(self, connection_id: str) -> Iterable[SocketLife]:
        """Yield the sockets that brought lanes of a connection, or nothing at all."""
        carried: dict[int, set[str]] = {}
        for lane, events in enumerate(self.table.lanes):
            owner = self.owners.get(lane, connection_id)
            for socket in {entry.socket for event in events for entry in event.entries}:
                carried.setdefault(socket, set()).add(owner)
        for number, life in enumerate(self.account.sockets):
            if connection_id in carried.get(number, {connection_id}):
                yield life

    def _name(self, event: Event) -> str:
        return f"frame {event.index} of {self.account.lanes[event.lane].name}"

    def _find(self, kind: FindingKind, text: str, event: Event | None = None) -> None:
        self.findings.append(Finding(kind, text, event.times_ns[0] if event is not None else 0))


def _union_ns(spans: Iterable[tuple[int, int]], low: int, high: int) -> int:
    """Return the length of what spans of time cover together, within bounds."""
    total = 0
    end = low
    for start, until in sorted(spans):
        stop = min(until, high)
        if stop > end:
            total += stop - max(start, end)
            end = stop
    return total
