"""Frames: the items of a stream, the batch codec, gap detection and merging."""

from virtufin_examples.frames._model import (
    Cause,
    ConnectionBeat,
    Encoding,
    Frame,
    FrameFlag,
    Gap,
    Heartbeat,
    Item,
    Late,
    Marker,
    Markers,
    Overflow,
    Restored,
    Silent,
    Stale,
)

__all__ = [
    "Cause",
    "ConnectionBeat",
    "Encoding",
    "Frame",
    "FrameFlag",
    "Gap",
    "Heartbeat",
    "Item",
    "Late",
    "Marker",
    "Markers",
    "Overflow",
    "Restored",
    "Silent",
    "Stale",
]
