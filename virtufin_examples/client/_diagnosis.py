"""Which link of a feed is broken: facts in, findings out. Pure; `_probe` gathers the facts.

The links are walked from the source to the subscriber. The first broken one is named: what lies behind it is
broken because of it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from virtufin_examples.client._feed_facts import BrokerFacts, ConnectionFacts, FeedFacts, TapFacts

QUEUE_BYTES = 1024 * 1024
"""What may wait for the bus; more means that it takes less than comes in."""
LAG_SECONDS = 5.0

_NS_PER_SECOND = 1_000_000_000
_MEBIBYTE = 1024 * 1024
_NAMED_SYMBOLS = 5


class Link(enum.StrEnum):
    """The links, in the order in which they are walked."""

    GATEWAY = "gateway"
    MANAGER = "websocketmanager"
    WORKER = "worker"
    MARKET = "market"
    SOCKET = "socket"
    SYMBOLS = "symbols"
    RECEIVE = "receive"
    PUBLISHER = "publisher"
    BROKER = "broker"
    SUBSCRIBER = "subscriber"


class Health(enum.StrEnum):
    """What is found of a link; only `BROKEN` needs somebody."""

    OK = "ok"
    IDLE = "idle"
    UNKNOWN = "unknown"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One link of one connection (empty: of the whole feed), in words.

    `symbol_ages`: how many seconds ago the last frame of each symbol came, for those that came.
    """

    link: Link
    health: Health
    text: str
    connection_id: str = ""
    symbol_ages: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings in order, the first broken one of them, and all in one sentence."""

    name: str
    findings: tuple[Finding, ...]
    broken: Finding | None
    sentence: str


def diagnose(facts: FeedFacts) -> Diagnosis:
    """Walk the links of a feed."""
    findings = tuple(sorted(_walk(facts), key=lambda finding: [*Link].index(finding.link)))
    broken = next((finding for finding in findings if finding.health is Health.BROKEN), None)
    if broken is not None:
        sentence = f"{facts.name} is broken at the {broken.link}: {broken.text}"
    else:
        sentence = f"{facts.name} is healthy: {_good_news(facts, findings)}"
    return Diagnosis(facts.name, findings, broken, sentence)


def _good_news(facts: FeedFacts, findings: tuple[Finding, ...]) -> str:
    closed = next((one for one in findings if one.link is Link.MARKET and one.health is Health.IDLE), None)
    if closed is not None:
        return f"nothing is broken, and nothing is due: {closed.text}"
    taps = [connection.tap for connection in facts.connections if connection.tap is not None]
    lags = [tap.lag_seconds for tap in taps if tap.lag_seconds is not None]
    if lags:
        return f"frames reach subscribers {_milliseconds(max(lags))} after they were received"
    return "nothing is broken, and no frame came while it was listened to"


Judged = tuple[Health, str]


def _walk(facts: FeedFacts) -> Iterator[Finding]:
    if facts.gateway_error:
        yield Finding(Link.GATEWAY, Health.BROKEN, facts.gateway_error)
        return
    if facts.manager_error:
        yield Finding(Link.MANAGER, Health.BROKEN, facts.manager_error)
        return
    yield Finding(Link.WORKER, *_worker(facts))
    broker_works = facts.broker is None or not facts.broker.error
    for one in facts.connections:
        yield Finding(Link.MARKET, *_market(one), one.id)
        yield Finding(Link.SOCKET, *_socket(one), one.id)
        yield Finding(Link.SYMBOLS, *_symbols(one), one.id)
        yield Finding(Link.RECEIVE, *_received(one, facts.now_ns), one.id, _symbol_ages(one, facts.now_ns))
        yield Finding(Link.PUBLISHER, *_publisher(one, broker_works=broker_works), one.id)
        if one.topic:
            yield Finding(Link.SUBSCRIBER, *_subscriber(one), one.id)
    if not facts.connections:
        yield Finding(Link.SOCKET, Health.BROKEN, "its worker holds no connection")
    if facts.broker is not None:
        yield Finding(Link.BROKER, *_broker(facts.broker))


def _worker(facts: FeedFacts) -> Judged:
    worker = facts.worker
    if facts.workers_error:
        return Health.UNKNOWN, facts.workers_error
    if worker is None:
        return Health.UNKNOWN, "no worker owns it: nobody would open it again"
    if worker.status == "running":
        return Health.OK, f"worker {worker.id} runs"
    return Health.BROKEN, f"worker {worker.id} is {worker.status}" + _because(worker.failure)


def _market(connection: ConnectionFacts) -> Judged:
    if connection.simulated:
        return Health.OK, "a simulator, which never closes: the data are not real"
    if connection.market is None:
        return Health.UNKNOWN, "the hours of this venue are not known"
    return Health.OK if connection.market.is_open else Health.IDLE, connection.market.text


def _is_open(connection: ConnectionFacts) -> bool:
    return connection.simulated or connection.market is None or connection.market.is_open


def _socket(connection: ConnectionFacts) -> Judged:
    text = f"connection {connection.id} is {connection.status}"
    if connection.status == "connected":
        return Health.OK, f"{text}, epoch {connection.epoch}"
    return Health.BROKEN, text + _because(connection.reason)


def _symbols(connection: ConnectionFacts) -> Judged:
    if connection.wanted is None or connection.acknowledged is None:
        return Health.UNKNOWN, "which ones the venue acknowledged is not told"
    missing = sorted(set(connection.wanted) - set(connection.acknowledged))
    if missing:
        count = f"{len(missing)} of {len(connection.wanted)} symbols"
        return Health.BROKEN, f"{count} are not acknowledged by the venue: {_some(missing)}"
    return Health.OK, f"all {len(connection.wanted)} are acknowledged"


def _received(connection: ConnectionFacts, now_ns: int) -> Judged:
    """What came, and what is done about what does not come."""
    health, text = _receive(connection, now_ns)
    if connection.asked_again:
        text += f"; the venue was asked again {_times(connection.asked_again)}"
    if connection.backfill:
        text += f"; backfill is {connection.backfill}"
    return health, text


def _receive(connection: ConnectionFacts, now_ns: int) -> Judged:
    came = connection.frames_after - connection.frames_before
    if connection.stale and _is_open(connection):
        count = len(connection.stale)
        return Health.BROKEN, f"{count} symbols have stopped arriving: {_some(sorted(connection.stale))}"
    if came > 0:
        return Health.OK, f"{came} frames while it was listened to{_of_symbols(connection)}"
    if not connection.last_received_ns:
        return _silence(connection, "no frame ever came")
    seconds = max(0.0, (now_ns - connection.last_received_ns) / _NS_PER_SECOND)
    text = f"the last frame came {_duration(seconds)} ago"
    if connection.quiet_seconds is not None and seconds <= connection.quiet_seconds:
        return Health.OK, text
    return _silence(connection, text)


def _of_symbols(connection: ConnectionFacts) -> str:
    """What the frames were of; a symbol that did not come need not be late."""
    came = {symbol for symbol, _ in connection.tap.symbols} if connection.tap is not None else set()
    if not came:
        return ""
    silent = sorted(set(connection.wanted or ()) - came)
    return f", of {len(came)} symbols" + (f"; not of {_some(silent)}" if silent else "")


def _symbol_ages(connection: ConnectionFacts, now_ns: int) -> tuple[tuple[str, float], ...]:
    if connection.tap is None:
        return ()
    ages = ((name, (now_ns - at_ns) / _NS_PER_SECOND) for name, at_ns in connection.tap.symbols)
    return tuple((name, round(max(0.0, age), 3)) for name, age in ages)


def _silence(connection: ConnectionFacts, text: str) -> Judged:
    if not _is_open(connection):
        return Health.IDLE, f"{text}; the market is closed"
    if connection.quiet_seconds is None:
        return Health.IDLE, f"{text}; this stream may be silent now"
    if connection.market is None and not connection.simulated:
        return Health.UNKNOWN, f"{text}; nothing is known of this venue's rate"
    return Health.BROKEN, f"{text} although the market is open"


def _publisher(connection: ConnectionFacts, *, broker_works: bool) -> Judged:
    if not connection.topic:
        return Health.BROKEN, f"it is not published; {connection.held_bytes} bytes are held for that"
    queued, spooled = connection.queued_bytes, connection.spooled_bytes
    waiting = f"{_mebibytes(queued)} wait in memory"
    if spooled:
        waiting += f", {_mebibytes(spooled)} on disk"
    if not spooled and min(queued, connection.queued_before) <= QUEUE_BYTES:
        return Health.OK, f"onto {connection.topic}, {waiting}"
    if not broker_works:  # then it is the broker that is broken, and this what comes of it
        return Health.IDLE, f"{waiting} for the broker"
    return Health.BROKEN, f"{waiting}: the bus takes less than comes in"


def _broker(broker: BrokerFacts) -> Judged:
    if broker.error:
        return Health.BROKEN, broker.error
    return Health.OK, f"a message went through in {_milliseconds(broker.seconds)}"


def _subscriber(connection: ConnectionFacts) -> Judged:
    tap = connection.tap
    if tap is None:
        return Health.UNKNOWN, "the topic was not listened to"
    if tap.error:
        return Health.BROKEN, tap.error
    if tap.frames:
        return _arrivals(tap)
    came = connection.frames_after - connection.frames_before
    if came > 0:
        where = f"none came out of topic {connection.topic} in {tap.seconds:g} s"
        return Health.BROKEN, f"{came} frames were received, {where}"
    if tap.notes:
        return Health.OK, "no frame was due; the heartbeat arrives"
    text = f"neither frame nor heartbeat in {tap.seconds:g} s (with markers none there is no heartbeat)"
    return Health.UNKNOWN, text


def _arrivals(tap: TapFacts) -> Judged:
    text = f"{tap.frames} frames in {tap.seconds:g} s"
    if tap.lag_seconds is None:
        return Health.OK, text
    if tap.lag_seconds > LAG_SECONDS:
        return Health.BROKEN, f"frames arrive {_duration(tap.lag_seconds)} after they were received"
    return Health.OK, f"{text}, {_milliseconds(tap.lag_seconds)} after they were received"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED_SYMBOLS
    return ", ".join(names[:_NAMED_SYMBOLS]) + (f" and {more} more" if more > 0 else "")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _mebibytes(count: int) -> str:
    return f"{count / _MEBIBYTE:.1f} MiB"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
