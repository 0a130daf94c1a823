"""The examples of docs/subscribing.md, run as they stand against a runtime on which a feed is published."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import programs
from tests.programs import first_lines

DOC = Path(__file__).parents[2] / "docs" / "subscribing.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", DOC.read_text("utf-8"), re.MULTILINE | re.DOTALL)

FEED = """
import asyncio, sys, time
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.bus.embedded import EmbeddedRuntime
from virtufin_examples.frames import BATCH_CONTENT_TYPE, BATCH_EVENT_TYPE, Frame, encode_batch

TRADE = (
    b'[{"T":"t","S":"FAKEPACA","i":1,"x":"D","p":126.55,"s":1,"c":["@"],"t":"2021-02-22T15:51:44.208Z","z":"C"}]'
)

async def main():
    runtime = EmbeddedRuntime()
    address = (await runtime.start()).grpc
    bus = DaprBus(target=address, app_id="websocketmanager")
    print(address, flush=True)
    stop = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    sequence = 1
    while not stop.done():
        frames = [
            Frame("alpaca-ticks", "c", 1, sequence + index, time.time_ns(), TRADE)
            for index in range(3)
        ]
        await bus.publish(
            "alpaca-ticks",
            encode_batch(frames, instance="i"),
            content_type=BATCH_CONTENT_TYPE,
            metadata={"cloudevent.type": BATCH_EVENT_TYPE},
        )
        sequence += 3
        await asyncio.wait({stop}, timeout=0.02)
    await bus.close()
    await runtime.stop()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def feed() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-c", FEED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()
        assert process.wait(20) == 0


def test_the_document_has_its_examples() -> None:
    assert len(EXAMPLES) == 9


def test_an_example_that_prints_nothing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "LINES_SECONDS", 0.3)
    script = tmp_path / "quiet.py"
    script.write_text("import threading; threading.Event().wait()", "utf-8")
    with pytest.raises(pytest.fail.Exception, match=r"quiet\.py: ended, or ran for 0\.3 s"):
        first_lines(script, 1, folder=tmp_path, environment={})


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs_as_it_stands(feed: str, number: int, tmp_path: Path) -> None:
    script = tmp_path / f"example {number} of docs/subscribing.md".replace("/", "-")
    script.write_text(EXAMPLES[number], "utf-8")
    lines = first_lines(script, 3, folder=tmp_path, environment={"DAPR_GRPC_ENDPOINT": feed})
    assert all(re.search(r"\d", line) for line in lines), lines
