"""Items and steps for the tests of what a run prints."""

from __future__ import annotations

import json

from virtufin_examples.audit import AuditResult, Finding
from virtufin_examples.client import Engine, FeedInfo, FeedSettings, Step, WorkerInfo
from virtufin_examples.example_run._header import Header
from virtufin_examples.example_run._summary import Summary
from virtufin_examples.example_run._tally import Tally
from virtufin_examples.frames import Cause, Frame, FrameFlag, Gap, Restored, Silent, Stale

SECOND = 1_000_000_000
NOW = 1_795_245_197 * SECOND


def frame(sequence: int, *messages: object, data: bytes | None = None, binary: bool = False) -> Frame:
    return Frame(
        topic="ticks",
        connection_id="c-1",
        epoch=1,
        sequence=sequence,
        received_ns=NOW + sequence,
        data=json.dumps(list(messages)).encode() if data is None else data,
        flags=FrameFlag.SIMULATED | (FrameFlag.BINARY if binary else FrameFlag.NONE),
    )


def book(symbol: str, bid: float, ask: float, *, full: bool = False) -> dict:
    sides = {"b": [{"p": bid, "s": 1}], "a": [{"p": ask, "s": 1}]}
    return {"T": "o", "S": symbol, **sides, **({"r": True} if full else {})}


def trade(symbol: str, price: float, size: float) -> dict:
    return {"T": "t", "S": symbol, "p": price, "s": size}


CONNECTED = {"T": "success", "msg": "connected"}
GAP = Gap(
    topic="ticks",
    connection_id="c-1",
    epoch_before=1,
    epoch_after=2,
    cause=Cause.RECONNECT,
    from_ns=NOW,
    to_ns=NOW + SECOND // 2,
    sequence=9,
)
NUMBERED_GAP = Gap(
    topic="ticks",
    connection_id="c-1",
    epoch_before=1,
    epoch_after=1,
    cause=Cause.BUS,
    from_ns=NOW,
    to_ns=NOW + SECOND // 4,
    first_sequence=5,
    last_sequence=7,
    symbols=("BTC/USD",),
    ended=False,
)
OTHERS = (
    Stale(topic="ticks", connection_id="c-1", epoch=1, sequence=2, since_ns=NOW, symbols=("BTC/USD",)),
    Restored(topic="ticks", connection_id="c-1", epoch=1, sequence=3, since_ns=NOW),
    Silent(topic="ticks", since_ns=NOW, hint="nothing is being published"),
)
STEP = Step("create", ok=True, ms=12.5, detail="c-1")
FAILED = Step("send_raw auth", ok=False, ms=3.0, error="no secret 'alpaca'")
HEADER = Header(
    title="Alpaca market data",
    simulated=True,
    run_id="abcd1234",
    gateway="127.0.0.1:40123 (embedded platform)",
    upstream="simulator, ws://127.0.0.1:8765/v1beta3/crypto/us",
    package="WebSocketManagerController 0.1.0-sha.01234567",
    engine="dotnet on .NET Core 3.1.23 (runtime wheel)",
    symbols=tuple(f"SYMBOL{n}/USD" for n in range(30)),
    channel="orderbooks",
    topic="ticks",
)


def info(*, simulated: bool = True) -> FeedInfo:
    settings = FeedSettings(
        url="ws://h/v1", channel="trades", symbols=("BTC/USD",), topic="ticks", connector="alpaca"
    )
    worker = WorkerInfo(id="w-1", runtime="CPython 3.11")
    return FeedInfo(
        run_id="abcd1234",
        settings=settings,
        engine=Engine.PYTHON,
        workers=(worker,),
        connection_ids=("c-1",),
        opened_ns=NOW,
        simulated=simulated,
    )


def audited(*findings: Finding) -> AuditResult:
    return AuditResult(
        sent=12_345,
        delivered=12_300,
        in_gaps=45,
        gaps=3,
        faults=2,
        announced_ns=3 * SECOND,
        injected_ns=2 * SECOND,
        findings=findings,
    )


def summary(
    *, simulated: bool = True, kept: bool = False, measured: bool = True, account: AuditResult | None = None
) -> Summary:
    tally = Tally(NOW if measured else NOW + 10 * SECOND)
    for n in range(1, 101):
        tally.add(frame(n), NOW + n * 1_000_000)
    tally.add(GAP, NOW)
    return Summary(
        run_id="abcd1234",
        tally=tally,
        engine="dotnet",
        runtime=".NET Core 3.1.23",
        platform="embedded",
        simulated=simulated,
        kept=kept,
        account=account,
    )
