"""The JSON lines of `--json` (`docs/example-output.schema.json`): `step`, `frame`, `gap`, `summary`."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

from virtufin_examples.client import Step
from virtufin_examples.example_run._summary import Summary
from virtufin_examples.frames import Frame, FrameFlag, Gap, note_dict


def step_event(step: Step) -> dict[str, Any]:
    """Return the line of a step."""
    return {"event": "step", "step": step.name, "ok": step.ok, "ms": step.ms}


def frame_event(frame: Frame) -> dict[str, Any]:
    """Return the line of a frame: text as a string, binary as base64, nanoseconds as a string."""
    binary = bool(frame.flags & FrameFlag.BINARY)
    return {
        "event": "frame",
        "topic": frame.topic,
        "connection_id": frame.connection_id,
        "epoch": frame.epoch,
        "sequence": frame.sequence,
        "received_ns": str(frame.received_ns),
        "data": {"base64": base64.b64encode(frame.data).decode()} if binary else frame.text,
    }


def gap_event(gap: Gap) -> dict[str, Any]:
    """Return the line of a gap."""
    return {"event": "gap", **note_dict(gap)}


def summary_event(summary: Summary) -> dict[str, Any]:
    """Return the last line."""
    return {
        "event": "summary",
        "frames": summary.tally.frames,
        "gaps": summary.tally.gaps,
        "gap_ms": summary.tally.gap_ms,
        "engine": summary.engine,
        "runtime": summary.runtime,
        "upstream": summary.upstream,
        "platform": summary.platform,
        "latency_ms": dataclasses.asdict(summary.tally.latency()),
    }
