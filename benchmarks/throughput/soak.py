"""`make soak`: an hour at half of the maximum: memory and latency flat, and no frame missing."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import msgspec

from benchmarks._child import running
from benchmarks._processes import command_line, memory_of
from benchmarks.throughput._contenders import run_ours
from benchmarks.throughput._field import READER, Field, Load, Upstream, open_field, program, sending
from benchmarks.throughput.reader import Read
from virtufin_examples.errors import VirtufinError

_CHUNK = 65536
_SPAN_SECONDS = 10.0
_MAXIMUM_FRAMES = 500_000
_LATENCY_OF = 97
"""The latency of every so many frames: of all it would be a load of its own."""
_GROWTH, _GROWTH_MB = 1.05, 2.0
_SLOWER, _SLOWER_MS = 1.5, 1.0


class Span(msgspec.Struct, frozen=True):
    """Ten seconds: frames, those missing, latencies from the socket in ms, memory in MB by program."""

    frames: int
    lost: int
    p50_ms: float
    p99_ms: float
    megabytes: dict[str, float]


def verdicts(spans: Sequence[Span], sent: int) -> dict[str, str]:
    """Judge: "ok", or what is wrong. The second quarter is compared with the last; the first warms up."""
    quarter = max(1, len(spans) // 4)
    early, late = spans[quarter : 2 * quarter] or spans[:1], spans[-quarter:]
    frames, lost = sum(each.frames for each in spans), sum(each.lost for each in spans)
    found = {"no loss": "ok" if frames == sent and not lost else f"{frames} of {sent} frames, {lost} gaps"}
    for name in early[0].megabytes:
        before, after = (median(each.megabytes[name] for each in part) for part in (early, late))
        grown = after > before * _GROWTH + _GROWTH_MB
        found[f"memory of {name}"] = f"grew from {before:.1f} to {after:.1f} MB" if grown else "ok"
    before, after = (median(each.p99_ms for each in part) for part in (early, late))
    slower = after > before * _SLOWER + _SLOWER_MS
    found["latency, p99"] = f"grew from {before:.2f} to {after:.2f} ms" if slower else "ok"
    return found


async def soak(field: Field, minutes: float, say: Callable[[str], object]) -> tuple[list[Span], int]:
    """Return the spans and how many frames were sent."""
    fastest = [
        (await run_ours(field, Load(150, _CHUNK, _MAXIMUM_FRAMES), latency_of=_LATENCY_OF)).rate
        for _ in range(3)
    ]
    rate = int(median(fastest) / 2)
    say(f"{rate:,} frames/s, half of {median(fastest):,.0f}, for {minutes:g} minutes")
    load = Load(150, _CHUNK, int(rate * minutes * 60), rate=rate)
    topic = field.new_topic()
    words = ["--dapr", field.runtime, "--topics", topic, "--frames", str(load.frames)]
    spans: list[Span] = []
    async with AsyncExitStack() as stack:
        _, port = await stack.enter_async_context(sending(load))
        options = ("--latency", str(_LATENCY_OF), "--every", str(_SPAN_SECONDS))
        reader = await stack.enter_async_context(running(READER, *words, *options))
        await reader.answer(str)
        ids = await field.connect(port, Upstream(), [topic], "batch", 1)
        await field.ask(ids[0], Upstream())
        processes = (*field.platform, reader.pid)
        names = {pid: program(command_line(pid)) for pid in processes}
        last = False
        while not last:
            read = await reader.answer(Read)
            last = read.last
            own = memory_of(processes).own
            latencies = [value / 1000 for value in read.from_receipt_us[:2]] or [0.0, 0.0]
            megabytes = {names[pid]: size / 1e6 for pid, size in own.items()}
            spans.append(Span(read.frames, read.lost, latencies[0], latencies[1], megabytes))
            shown = ", ".join(f"{name} {value:.1f} MB" for name, value in megabytes.items())
            say(
                f"{read.frames:,} frames, {read.lost} gaps, p50 {latencies[0]:.2f} ms, "
                f"p99 {latencies[1]:.2f} ms, {shown}"
            )
        await field.disconnect(ids)
    return spans, load.frames


def main(arguments: list[str]) -> int:
    """Run, print the verdict; status 1 when something was not flat or missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the spans as well")
    given = parser.parse_args(arguments)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    async def work() -> tuple[list[Span], int]:
        with tempfile.TemporaryDirectory() as folder:
            async with open_field(Path(folder), say, peers=False) as field:
                return await soak(field, given.minutes, say)

    try:
        spans, sent = asyncio.run(work())
    except (VirtufinError, OSError) as error:
        print(f"cannot soak: {error}", file=sys.stderr)
        return 1
    found = verdicts(spans, sent)
    for name, verdict in found.items():
        print(f"{name:<36}{verdict}")
    if given.json is not None:
        report = {"sent": sent, "verdicts": found, "spans": spans}
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    return int(any(verdict != "ok" for verdict in found.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
