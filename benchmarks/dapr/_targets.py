"""The targets, all running: each with its broker, a sidecar for the publisher and one for the reader."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._processes import descendants
from benchmarks.dapr._protocol import PUBLISHER, READER
from tests.dapr.targets import Target, platform

__all__ = ["TARGETS", "Running", "Target", "running_targets"]

TARGETS = (Target.EMBEDDED, Target.IN_MEMORY, Target.REDIS, Target.JETSTREAM, Target.KAFKA)


@dataclass(frozen=True, slots=True)
class Running:
    """A running target: `host:port` of the sidecars, and its processes by what they are."""

    target: Target
    publisher: str
    reader: str
    processes: dict[str, tuple[int, ...]]


@contextmanager
def running_targets(targets: Sequence[Target], folder: Path) -> Iterator[list[Running]]:
    """Run them for the block, with their files in `folder`."""
    with ExitStack() as stack:
        yield [_start(target, folder / target, stack) for target in targets]


def _start(target: Target, folder: Path, stack: ExitStack) -> Running:
    folder.mkdir()
    before = _processes()
    running = stack.enter_context(platform(target, folder))
    broker = _processes()
    publisher = running.sidecar(PUBLISHER)
    first = _processes()
    # In-memory lives in one sidecar, and so does the embedded runtime.
    reader = publisher if target is Target.IN_MEMORY else running.sidecar(READER)
    processes = {
        "broker": broker - before,
        "publisher's sidecar": first - broker,
        "reader's sidecar": _processes() - first,
    }
    named = {name: tuple(found) for name, found in processes.items() if found}
    return Running(target, publisher.grpc, reader.grpc, named)


def _processes() -> set[int]:
    return set(descendants(os.getpid()))
