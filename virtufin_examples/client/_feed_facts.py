"""What can be known of a feed from outside, before it is judged (`_diagnosis`)."""

from __future__ import annotations

from dataclasses import dataclass

from virtufin_examples.venues._market_hours import MarketState

QUIET_SECONDS = 300.0
"""So long without a frame is called broken where the market is open: long enough for bars of a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """The worker that owns the feed's connections; `status` as `running`, `stopped`, `failed`."""

    id: str
    status: str
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapFacts:
    """A connection's topic listened to for `seconds`: its frames, the topic's markers and heartbeats.

    `lag_seconds`: what its last frame took from the socket to here. `symbols`: when the last frame of each
    was received (Unix nanoseconds), where the venue's connector can tell.
    """

    seconds: float
    frames: int = 0
    notes: int = 0
    lag_seconds: float | None = None
    symbols: tuple[tuple[str, int], ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFacts:
    """A connection, looked at before and after the topic was listened to. Times are Unix nanoseconds.

    `backfill`: whether what a gap missed is fetched, where that can be. `asked_again`: how often the
    subscription was sent again because its data did not come. None: not told. `market` None: the venue's
    hours are not known; `quiet_seconds` None: silence is normal.
    """

    id: str
    status: str
    topic: str = ""
    reason: str = ""
    epoch: int = 1
    simulated: bool = False
    market: MarketState | None = None
    quiet_seconds: float | None = QUIET_SECONDS
    wanted: tuple[str, ...] | None = None
    acknowledged: tuple[str, ...] | None = None
    stale: tuple[str, ...] = ()
    last_received_ns: int = 0
    frames_before: int = 0
    frames_after: int = 0
    queued_before: int = 0
    queued_bytes: int = 0
    spooled_bytes: int = 0
    held_bytes: int = 0
    backfill: str = ""
    asked_again: int = 0
    tap: TapFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFacts:
    """A message sent to ourselves through the broker: how long it took, or why it did not come."""

    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFacts:
    """All that is known of one feed. The errors say why a service did not answer."""

    name: str
    now_ns: int
    gateway_error: str = ""
    manager_error: str = ""
    workers_error: str = ""
    worker: WorkerFacts | None = None
    connections: tuple[ConnectionFacts, ...] = ()
    broker: BrokerFacts | None = None
