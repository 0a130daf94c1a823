"""Venues: what is known of each exchange's or broker's protocol. Sans-I/O."""

from virtufin_examples.venues._connector import (
    Acknowledged,
    Authenticated,
    Connector,
    Disposition,
    Refused,
    Session,
    Verdict,
)

__all__ = ["Acknowledged", "Authenticated", "Connector", "Disposition", "Refused", "Session", "Verdict"]
