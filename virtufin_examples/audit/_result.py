"""What an audit found."""

from __future__ import annotations

import enum
from dataclasses import dataclass

_NS_PER_SECOND = 1_000_000_000


class FindingKind(enum.StrEnum):
    """What can be wrong."""

    LOSS = "loss"  # sent, not handed out, and no gap stands in its place
    BOUNDS = "bounds"  # a gap stands in its place and says a time that it does not lie in
    REPEAT = "repeat"  # handed out more often than any one socket brought it
    SWAP = "swap"  # handed out after a later one of its lane
    UNKNOWN = "unknown"  # handed out, never sent
    HOLE = "hole"  # numbers of a connection that are missing and that no gap names
    ORDER = "order"  # numbers of a connection that do not rise
    FALSE_GAP = "false gap"  # announced, and nothing was missing
    EXCESS = "excess"  # announced for longer than outages and healing explain


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `at_ns` is the time of the frame or gap, `sequence` its number or 0."""

    kind: FindingKind
    text: str
    at_ns: int = 0
    sequence: int = 0

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """The account: frames that the venue sent are `delivered` or `in_gaps` when nothing is found."""

    sent: int
    delivered: int
    in_gaps: int
    gaps: int
    faults: int
    announced_ns: int
    injected_ns: int
    findings: tuple[Finding, ...]

    @property
    def is_closed(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def summary(self) -> str:
        """Return it in a line."""
        figures = (
            f"{self.sent} frames sent: {self.delivered} delivered, {self.in_gaps} in {self.gaps} announced "
            f"gaps ({self.announced_ns / _NS_PER_SECOND:.1f} s; {self.faults} faults kept frames away for "
            f"{self.injected_ns / _NS_PER_SECOND:.1f} s)"
        )
        if self.is_closed:
            return f"account closed: {figures}"
        return f"account NOT closed: {len(self.findings)} findings, first {self.findings[0]}; {figures}"

    def figures(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "closed": self.is_closed,
            "sent": self.sent,
            "delivered": self.delivered,
            "in_gaps": self.in_gaps,
            "gaps": self.gaps,
            "faults": self.faults,
            "announced_seconds": round(self.announced_ns / _NS_PER_SECOND, 3),
            "injected_seconds": round(self.injected_ns / _NS_PER_SECOND, 3),
            "findings": [str(finding) for finding in self.findings],
        }
