"""Ends what a process has started when that process is gone, however it went.

A program of its own, started by `deploy.processes` and told by lines on its stdin what there is: `+PID` (to
be ended), `=PID` (ends by itself when its stdin closes), `-PID` (has ended) and `/FOLDER` (to be removed).
When its stdin closes it waits for the ones, ends the others and removes the folders.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Collection
from pathlib import Path

_BY_THEMSELVES_SECONDS = 10.0
_TERMINATE_SECONDS = 5.0
_LOOK_SECONDS = 0.05


def main() -> None:
    """Listen until stdin closes, then clean up."""
    patient: set[int] = set()
    others: set[int] = set()
    folders: list[Path] = []
    for line in sys.stdin:
        kind, value = line[0], line[1:].rstrip("\n")
        if kind == "/":
            folders.append(Path(line.rstrip("\n")))
        elif kind == "-":
            patient.discard(int(value))
            others.discard(int(value))
        else:
            (patient if kind == "=" else others).add(int(value))
    _wait(patient, _BY_THEMSELVES_SECONDS)
    left = {*patient, *others}
    for number, seconds in ((signal.SIGTERM, _TERMINATE_SECONDS), (signal.SIGKILL, 1.0)):
        for process in left:
            with contextlib.suppress(OSError):
                os.kill(process, number)
        left = _wait(left, seconds)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(processes: Collection[int], seconds: float) -> set[int]:
    """Wait for their end; return those that are still there."""
    until = time.monotonic() + seconds
    left = {process for process in processes if _runs(process)}
    while left and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
        left = {process for process in left if _runs(process)}
    return left


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return False
    try:  # one that nobody has waited for has ended all the same
        state = Path(f"/proc/{process}/stat").read_bytes().rpartition(b") ")[2][:1]
    except OSError:  # no /proc here
        return True
    return state != b"Z"


if __name__ == "__main__":
    main()
