"""The auditor: what a venue sent against what a subscriber got, after a run with faults.

The promise under audit: each frame sent on a live socket is handed out exactly once and in order, or lies
inside an announced gap; and what is announced exceeds the injected outages by at most 2 s a fault.

**The venue's side** keeps a `VenueAccount` while it runs (a simulator, a test's server; a fault proxy in
between adds its outages to the account of the simulator behind it):

    account = VenueAccount()
    socket = account.opened(now_ns)
    entry = account.offered(socket, payload, now_ns, lane="btcusdt@depth", symbol="BTCUSDT")
    account.sent(entry, now_ns)           # when it is written; twice for a duplicate, never where it was lost
    account.other(payload)                # whatever else goes out: answers, garbage
    account.outage("drop", from_ns, to_ns)  # an injected fault: how long nothing could come
    account.closed(socket, now_ns)

`account.encode()` is its JSON, `VenueAccount.decode` reads it: for a simulator's control endpoint. Times are
Unix nanoseconds; those of venue and subscriber must be of one clock, but for `slack_ns`.

A lane is what one connection brings in order: one stream of Binance, one endpoint of Alpaca. Frames are told
by content. Frames of one content on two sockets that are open at once are one frame (redundancy, make before
break); a lane that two connections deliver cannot be audited.

**The subscriber's side** hands over the items as `subscribe()` yields them, and asks at the end:

    auditor = Auditor()
    async for item in subscription:
        auditor.received(item)
    result = auditor.audit(account, from_ns=subscribed_ns, until_ns=stopped_ns)
    result.is_closed        # nothing was found
    result.findings         # what was: kind, text, sequence, time
    result.summary()        # one line for a person
    result.figures()        # the same as a dict for JSON

Frames sent before `from_ns` or after `until_ns` may have been handed out or not.
"""

from virtufin_examples.audit._account import Entry, Outage, SocketLife, VenueAccount, content_digest
from virtufin_examples.audit._auditor import ALLOWANCE_NS, Auditor
from virtufin_examples.audit._result import AuditResult, Finding, FindingKind

__all__ = [
    "ALLOWANCE_NS",
    "AuditResult",
    "Auditor",
    "Entry",
    "Finding",
    "FindingKind",
    "Outage",
    "SocketLife",
    "VenueAccount",
    "content_digest",
]
