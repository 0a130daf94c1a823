"""Venues: what is known of each exchange's or broker's protocol. Sans-I/O."""

from virtufin_examples.venues._about import Claim, ErrorRule
from virtufin_examples.venues._arbiter import RISING_WINDOW_NS, Arbiter, Arrival, Key, leaves_hole
from virtufin_examples.venues._connector import ANSWER_SECONDS, Connector, Session, sorted_status
from virtufin_examples.venues._exchange import (
    Acknowledged,
    Authenticated,
    Backfilled,
    Credential,
    Disposition,
    Effect,
    HttpRequest,
    HttpResponse,
    Leaving,
    Outgoing,
    Refused,
    Seen,
    Target,
    Verdict,
    one_message,
)
from virtufin_examples.venues._heartbeat import Heartbeat
from virtufin_examples.venues._json import json_of
from virtufin_examples.venues._limits import Budget, VenueLimits
from virtufin_examples.venues._options import COMMON_OPTIONS, Option, option_seconds, require_known
from virtufin_examples.venues._retry_after import retry_after_seconds

__all__ = [
    "ANSWER_SECONDS",
    "COMMON_OPTIONS",
    "RISING_WINDOW_NS",
    "Acknowledged",
    "Arbiter",
    "Arrival",
    "Authenticated",
    "Backfilled",
    "Budget",
    "Claim",
    "Connector",
    "Credential",
    "Disposition",
    "Effect",
    "ErrorRule",
    "Heartbeat",
    "HttpRequest",
    "HttpResponse",
    "Key",
    "Leaving",
    "Option",
    "Outgoing",
    "Refused",
    "Seen",
    "Session",
    "Target",
    "VenueLimits",
    "Verdict",
    "json_of",
    "leaves_hole",
    "one_message",
    "option_seconds",
    "require_known",
    "retry_after_seconds",
    "sorted_status",
]
