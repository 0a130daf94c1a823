"""Runs many schedules over the machine's cores: `python -m tests.simulation --schedules 300`."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter

from tests.simulation.plan import Kind, Mode
from tests.simulation.schedule import FRAMES, Outcome, run_schedule

_PROGRESS_SECONDS = 5.0
_FAULTS = 5


def problems(outcome: Outcome) -> list[str]:
    """What is wrong with a schedule: what was found, or too little of anything."""
    found = list(outcome.problems)
    if outcome.faults.total() < _FAULTS:
        found.append(f"only {outcome.faults.total()} faults took effect")
    return found


def repeat(seed: int) -> str:
    return f"make test-schedules ARGS='--from-seed {seed} --schedules 1'"


def run(seed: int) -> tuple[Outcome, list[str]]:
    try:
        outcome = run_schedule(seed)
    except Exception as error:  # noqa: BLE001 - whatever it was is this schedule's problem
        return Outcome(seed, Mode.BINANCE), [f"the schedule itself failed: {error!r}"]
    return outcome, problems(outcome)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make test-schedules")
    parser.add_argument("--schedules", type=int, default=300)
    parser.add_argument("--from-seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--twice", type=int, default=10, help="run every n-th a second time and compare")
    options = parser.parse_args()
    seeds = range(options.from_seed, options.from_seed + options.schedules)
    again = [seed for seed in seeds if options.twice and (seed - seeds[0]) % options.twice == 0]
    began = reported = time.monotonic()
    faults: Counter[str] = Counter()
    digests: dict[int, str] = {}
    frames = done = gaps = 0
    failed: list[tuple[int, list[str]]] = []
    with multiprocessing.Pool(options.processes) as pool:
        for outcome, found in pool.imap_unordered(run, [*seeds, *again]):
            if digests.setdefault(outcome.seed, outcome.digest) != outcome.digest:
                found.append("the same seed gave another stream")
            done += 1
            frames += outcome.frames
            faults.update(outcome.faults)
            gaps += outcome.audit.gaps if outcome.audit is not None else 0
            if found:
                failed.append((outcome.seed, found))
                print(
                    f"seed {outcome.seed} ({outcome.mode}): {found[0]}\n  {repeat(outcome.seed)}", flush=True
                )
            now = time.monotonic()
            if now - reported >= _PROGRESS_SECONDS:
                reported = now
                print(f"{done} of {len(seeds) + len(again)} schedules, {len(failed)} failed", flush=True)
    missing = [kind for kind in Kind if not faults[kind.value]]
    if missing and options.schedules >= len(Mode) * 10:
        failed.append((0, [f"no {', '.join(missing)} took effect"]))
    seconds = time.monotonic() - began
    print(
        f"{len(seeds)} schedules ({len(again)} twice), {frames} frames, {gaps} gaps, {seconds:.0f} s; faults:"
    )
    print("  " + ", ".join(f"{name} {count}" for name, count in sorted(faults.items())))
    if failed:
        failed.sort()
        seed, found = failed[0]
        print(f"{len(failed)} failed; first seed {seed}:")
        for line in found:
            print(f"  {line}")
        print(f"  {repeat(seed)}")
        return 1
    print(f"every account is closed; {FRAMES} frames or more each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
