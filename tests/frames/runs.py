"""Streams as their readers see them: frame by frame."""

from __future__ import annotations

from virtufin_examples.frames import FrameRun, run_of


def flat(items, topic="") -> list:
    """Items with every run taken apart."""
    out = []
    for item in items:
        out += item.frames(topic) if isinstance(item, FrameRun) else [item]
    return out


def in_runs(items) -> list:
    """Items with every frame as a run of its own."""
    return [item if hasattr(item, "cause") or hasattr(item, "since_ns") else run_of([item]) for item in items]
