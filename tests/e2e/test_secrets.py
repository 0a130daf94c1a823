"""Keys never appear: a canary is planted and everything that can be read is searched for it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import signal
import urllib.parse
import urllib.request

import pytest

from tests.e2e.conftest import SCRIPT, processes_in
from tests.programs import start_platform, write_settings
from virtufin_examples.client import ApiClient, TopicTap
from virtufin_examples.simulators import AlpacaSimulator

KEY = "canary-KEY+/=1f6f4b"
SECRET = "canary-SECRET+/=93ce07"
TAPPED = (
    "websocketmanager.lifecycle",
    "workmanager.lifecycle",
    "command.websocketmanagercontroller",
    "command.websocketmanagercontroller-dead",
    "response.websocketmanagercontroller",
    "state.change",
    "books",
    "books.events",
)


def spellings(value: str) -> set[bytes]:
    """A value as text, URL-encoded, JSON-escaped, and in base64 at every alignment within a longer text."""
    raw = value.encode()
    found = {raw, urllib.parse.quote(value, safe="").encode(), json.dumps(value)[1:-1].encode()}
    for pad in range(3):
        coded = base64.b64encode(b"x" * pad + raw + b"xxx")
        # Only what depends on the value alone: characters that mix in the neighbours are cut off.
        start, length = (0, 2, 3)[pad], len(raw) * 8 // 6 - 1
        found |= {
            coded[start : start + length],
            coded[start : start + length].translate(bytes.maketrans(b"+/", b"-_")),
        }
    return found


NEEDLES = spellings(KEY) | spellings(SECRET)


def holding_a_canary(places: dict[str, bytes]) -> list[str]:
    return [name for name, content in places.items() if any(needle in content for needle in NEEDLES)]


def test_the_search_finds_a_canary_in_every_spelling():
    for disguise in (
        f"x {SECRET} y".encode(),
        urllib.parse.quote(SECRET, safe="").encode(),
        base64.b64encode(f'{{"secret":"{SECRET}"}}'.encode()),
        base64.b64encode(f' {{"secret":"{SECRET}"}}'.encode()),
        base64.urlsafe_b64encode(f'  {{"secret":"{SECRET}"}}'.encode()),
    ):
        assert holding_a_canary({"place": disguise}) == ["place"]


@pytest.fixture
async def simulator():
    simulator = AlpacaSimulator(key=KEY, secret=SECRET, seed=1, rate=50)
    address = await simulator.start()
    yield {"url": f"ws://{address}", "key": KEY, "secret": SECRET}
    await simulator.stop()


@contextlib.asynccontextmanager
async def taps(api: ApiClient):
    """Read all of `TAPPED`; yield what was read, by topic."""
    seen: dict[str, bytearray] = {topic: bytearray() for topic in TAPPED}

    async def read(topic: str, tap: TopicTap) -> None:
        async for event in tap:
            seen[topic] += event.data + repr(event).encode()

    async with contextlib.AsyncExitStack() as stack:
        opened = {topic: await stack.enter_async_context(await api.subscribe(topic)) for topic in TAPPED}
        reading = [asyncio.create_task(read(topic, tap)) for topic, tap in opened.items()]
        yield seen
        for tap in opened.values():
            await tap.close()
        await asyncio.gather(*reading)


@pytest.mark.parametrize("engine", ["dotnet", "python"])
async def test_keys_are_nowhere_to_be_read(start, tmp_path, simulator, engine):
    data = tmp_path / "state"
    platform = await asyncio.to_thread(
        start_platform, start, simulator, "--data", data, "--log-level", "debug"
    )
    settings = write_settings(tmp_path / "feed.json", simulator, topic="books")
    wanted = json.loads(settings.read_text())
    wanted["url"] += f"?token={urllib.parse.quote(KEY, safe='')}"
    settings.write_text(json.dumps(wanted))
    flags = (
        "--upstream",
        "live",
        "--engine",
        engine,
        "--gateway",
        platform["gateway"],
        "--settings",
        settings,
    )
    places: dict[str, bytes] = {}
    async with ApiClient(platform["gateway"]) as api, taps(api) as topics:
        run = start(SCRIPT, "--json", *flags, DAPR_GRPC_ENDPOINT=platform["runtime"])
        await asyncio.to_thread(run.event, "frame")
        for service, method in (("websocketmanager", "List"), ("workmanager", "ListWorkers")):
            places[f"{service}.{method}"] = json.dumps(await api.invoke_json(service, method, {})).encode()
        places |= {f"arguments of {pid}": line.encode() for pid, line in processes_in(tmp_path).items()}
        for name in ("gateway", "websocketmanager", "workmanager"):
            places[f"metrics of {name}"] = await asyncio.to_thread(read_metrics, platform[f"{name}_http"])
        assert await asyncio.to_thread(run.end, signal.SIGINT) == 0
    places |= {f"topic {topic}": bytes(content) for topic, content in topics.items()}
    places["stdout of the script"] = json.dumps(run.lines).encode()
    places["stderr of the script"] = "".join(run.stderr).encode()
    program = platform["program"]
    await asyncio.to_thread(program.end, signal.SIGTERM)
    places["log of the platform"] = "".join(program.stderr).encode()
    places |= {f"file {path.name}": path.read_bytes() for path in data.rglob("*") if path.is_file()}
    for looked_at in (
        "websocketmanager.List",
        "log of the platform",
        "topic websocketmanager.lifecycle",
        "topic books",
    ):
        assert places[looked_at], f"nothing was to be read: {looked_at}"
    assert any(name.startswith("file") for name in places)
    assert not holding_a_canary(places)


def read_metrics(address: str) -> bytes:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        return answer.read()
