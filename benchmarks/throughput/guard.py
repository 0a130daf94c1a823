"""`make bench-guard`: two ratios of our frames/s, each to one in the same run, must not fall.

The machine's speed divides out. A ratio fails below 70 % of the checked-in one, as the median of five rounds,
and only when a second measurement agrees.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.throughput._contenders import NOTHING, OURS_BATCH, PER_FRAME
from benchmarks.throughput._field import open_field
from benchmarks.throughput._rounds import CHUNK, QUICK_DATA, DataPlan, run_contenders
from benchmarks.throughput._targets import ratios
from virtufin_examples.errors import UnavailableError, VirtufinError

CHECKED_IN = Path(__file__).parents[1] / "guard.json"
FLOOR = 0.7
_ROUNDS = 5
_SECONDS = 1.5


class Guarded(msgspec.Struct, frozen=True):
    """Ours in `batch` at 150 bytes, divided by each."""

    of_bare_receive: float
    of_per_frame_design: float


def measure() -> Guarded:
    """Return the medians of the rounds."""

    async def work() -> Guarded:
        plan = _plan()
        with tempfile.TemporaryDirectory() as folder:
            async with open_field(Path(folder), _say, peers=False) as field:
                rows = await run_contenders(field, plan, _say, [OURS_BATCH, NOTHING, PER_FRAME])
        for row in rows:
            if row.problem:
                raise UnavailableError(f"{row.contender}: {row.problem}")
        return Guarded(*(median(ratios(rows, OURS_BATCH, other)) for other in (NOTHING, PER_FRAME)))

    return asyncio.run(work())


def fallen(found: Guarded, checked_in: Guarded) -> dict[str, str]:
    """Return a sentence for each ratio below its floor, by its name."""
    return {
        name: f"{name} is {getattr(found, name):.3g}, below {FLOOR:.0%} of {getattr(checked_in, name):.3g}"
        for name in Guarded.__struct_fields__
        if getattr(found, name) < FLOOR * getattr(checked_in, name)
    }


def main(arguments: list[str]) -> int:
    """Measure, and once more when a ratio has fallen; status 1 when both agree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput.guard", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"check in what is measured: {CHECKED_IN.name}")
    try:
        if parser.parse_args(arguments).write:
            CHECKED_IN.write_bytes(msgspec.json.format(msgspec.json.encode(measure()), indent=1) + b"\n")
            return 0
        return _guard()
    except (VirtufinError, OSError) as error:
        print(f"cannot measure: {error}", file=sys.stderr)
        return 1


def _guard() -> int:
    checked_in = msgspec.json.decode(CHECKED_IN.read_bytes(), type=Guarded)
    agreed = set(Guarded.__struct_fields__)
    for _ in range(2):
        found = measure()
        print(
            f"ours is {found.of_bare_receive:.3g} of the bare receive ({checked_in.of_bare_receive:.3g} "
            f"checked in), {found.of_per_frame_design:.3g} times the per-frame design "
            f"({checked_in.of_per_frame_design:.3g})"
        )
        sentences = fallen(found, checked_in)
        agreed &= set(sentences)
        if not agreed:
            return 0
    for name in agreed:
        print(sentences[name], file=sys.stderr)
    print(
        f"The data path has become slower. Find out why; to lower a ratio in {CHECKED_IN.name}, "
        "say why in CHANGELOG.md.",
        file=sys.stderr,
    )
    return 1


def _plan() -> DataPlan:
    return DataPlan(
        cells={(150, CHUNK): (_ROUNDS, _SECONDS)},
        seconds=0.0,
        latency_rates=(),
        latency_rounds=0,
        latency_seconds=0.0,
        sweeps=QUICK_DATA.sweeps,
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
