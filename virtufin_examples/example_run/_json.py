"""The JSON lines of `--json`; `docs/example-output.schema.json` says what is in them."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

from virtufin_examples.client import Step
from virtufin_examples.errors import VirtufinError
from virtufin_examples.example_run._edits import SymbolsChanged
from virtufin_examples.example_run._summary import Summary
from virtufin_examples.frames import Frame, FrameFlag, Gap, Restored, Silent, Stale, note_dict


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


def health_event(item: Stale | Restored | Silent) -> dict[str, Any]:
    """Return the line of symbols that stopped or arrive again, or of a topic without a publisher."""
    match item:
        case Stale():
            return {"event": "stale", **note_dict(item)}
        case Restored():
            return {"event": "restored", **note_dict(item)}
        case Silent():
            named = {"connections": list(item.connections)} if item.connections else {}
            return {
                "event": "silent",
                "topic": item.topic,
                "since_ns": str(item.since_ns),
                "hint": item.hint,
                **named,
            }


def symbols_event(change: SymbolsChanged) -> dict[str, Any]:
    """Return the line of a change of symbols that was made."""
    return {"event": "symbols", **dataclasses.asdict(change)}


def refused_event(error: VirtufinError) -> dict[str, Any]:
    """Return the line of an edit that was refused."""
    return {"event": "refused", "code": error.code, "message": error.message, "hint": error.hint}


def summary_event(summary: Summary) -> dict[str, Any]:
    """Return the last line."""
    account = {"account": summary.account.figures()} if summary.account is not None else {}
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
        **account,
    }
