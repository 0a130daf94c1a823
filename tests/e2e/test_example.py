"""The main job as a newcomer runs it."""

from __future__ import annotations

import json
import signal

import pytest

from tests.e2e.conftest import ROOT, SCRIPT, UNDER_FAULTS, closes_its_account, control
from tests.workers.variants import WITHOUT_SEND_RAW
from virtufin_examples.client import ApiClient, Engine, FeedSettings, Step, open_feed
from virtufin_examples.errors import VirtufinError
from virtufin_examples.venues.alpaca import OrderBook
from virtufin_examples.worker_packages import WorkerPackage, read_nupkg

LIVE_STEPS = ["create worker", "start worker", "subscribe", "create", "publish", "list", "ListWorkers"]


def sequences(frames: list[dict]) -> list[int]:
    return [frame["sequence"] for frame in frames]


@pytest.mark.parametrize("engine", ["dotnet", "python"])
def test_fifty_frames_from_an_empty_folder(start, engine):
    run = start(SCRIPT, "--frames", "50", "--json", "--engine", engine)
    assert run.end() == 0, "".join(run.stderr)
    frames = run.events("frame")
    assert len(frames) == 50
    assert sequences(frames)[0] == 1
    assert sequences(frames) == sorted(set(sequences(frames)))
    summary = run.lines[-1]
    assert summary["event"] == "summary"
    assert (summary["engine"], summary["frames"], summary["gaps"]) == (engine, 50, 0)
    assert (summary["upstream"], summary["platform"]) == ("simulator", "embedded")
    names = [line["step"] for line in run.events("step")]
    assert [name for name in names if name in LIVE_STEPS][: len(LIVE_STEPS)] == LIVE_STEPS
    assert names[-5:] == ["disconnect", "stop worker", "delete worker", "list", "ListWorkers"]
    assert all(line["ok"] for line in run.events("step"))


def test_under_faults_the_run_says_that_every_frame_came_or_lies_in_an_announced_gap(start):
    closes_its_account(start(SCRIPT, *UNDER_FAULTS))


def test_the_books_built_from_the_frames_are_the_simulators(
    start, simulator, simulator_environment, settings_file
):
    run = start(SCRIPT, "--json", "--upstream", "live", "--settings", settings_file, **simulator_environment)
    for _ in range(200):
        run.event("frame")
    control(simulator, "pause", post=True)
    truth = {symbol: true_book(simulator, symbol) for symbol in ("BTC/USD", "ETH/USD")}
    while books_of(run.events("frame")) != truth:  # what was sent before the pause is still on its way
        run.event("frame", timeout=5)
    assert run.end(signal.SIGINT) == 0
    assert run.lines[-1]["gaps"] == 0
    assert run.lines[-1]["upstream"] == "simulator"  # whoever started it


def true_book(simulator: dict, symbol: str) -> OrderBook:
    book = OrderBook(symbol)
    book.apply(control(simulator, f"books?symbol={symbol}"))
    return book


def books_of(frames: list[dict]) -> dict[str, OrderBook]:
    books: dict[str, OrderBook] = {}
    for frame in frames:
        for message in json.loads(frame["data"]):
            if message.get("T") == "o":
                books.setdefault(message["S"], OrderBook(message["S"])).apply(message)
    return books


def test_edits_of_the_settings_are_followed_without_a_gap_for_the_others(start, tmp_path):
    def save(symbols: list[str], **change: object) -> None:
        beside = tmp_path / "settings.new"
        settings = json.loads((ROOT / "settings" / "settings.alpaca.json").read_text())
        beside.write_text(json.dumps({**settings, "symbols": symbols, **change}))
        beside.replace(file)

    def until_frame_of(symbol: str) -> None:
        run.until(lambda line: line.get("event") == "frame" and f'"S":"{symbol}"' in line["data"])

    file = tmp_path / "ticks.json"
    save(["BTC/USD", "ETH/USD"])
    run = start(SCRIPT, "--json", "--engine", "python", "--settings", file)
    run.event("step")
    save(["BTC/USD", "SOL/USD"])  # while the run begins
    changed = run.event("symbols")
    assert (changed["added"], changed["removed"]) == (["SOL/USD"], ["ETH/USD"])
    assert (changed["connections"], changed["workers"]) == (1, 1)
    until_frame_of("SOL/USD")
    save(["BTC/USD"], topic="other")
    assert "topic" in run.event("refused")["message"]
    until_frame_of("BTC/USD")

    run.process.terminate()
    assert run.end() == 0, "".join(run.stderr)
    assert run.lines[-1]["gaps"] == 0
    found = sequences(run.events("frame"))
    assert found == list(range(1, len(found) + 1))


async def test_without_its_send_raw_the_dll_leaves_the_feed_unauthenticated(
    platform, simulator, settings_file
):
    """The .NET code does the work: take it away and Alpaca never sees the keys."""

    async def crippled(engine: Engine) -> WorkerPackage:
        return read_nupkg(WITHOUT_SEND_RAW.read_bytes())

    seen = {}

    def look(step: Step) -> None:
        if step.name == "publish":
            (seen["connection"],) = control(simulator, "state")["connections"]

    settings = FeedSettings.load(settings_file)
    async with ApiClient(platform["gateway"]) as api:
        with pytest.raises(VirtufinError, match="404 auth timeout"):
            async with open_feed(
                settings,
                api=api,
                engine=Engine.DOTNET,
                dapr_endpoint=platform["runtime"],
                package_source=crippled,
                on_step=look,
            ):
                pytest.fail("the feed opened")
    assert seen["connection"]["authenticated"] is False
    assert seen["connection"]["sent_messages"] == 0
