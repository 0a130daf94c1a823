"""Frames: the items of a stream, the batch codec, gap detection and merging."""

from virtufin_examples.frames._batch import (
    FORMAT_VERSION,
    decode_batch,
    decode_runs,
    encode_batch,
    encode_runs,
)
from virtufin_examples.frames._decode import Message, Received, decode_message, read_message
from virtufin_examples.frames._events import encode_frame_event
from virtufin_examples.frames._merge import WINDOW_BYTES, WINDOW_NS, Merger
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
from virtufin_examples.frames._names import (
    BATCH_CONTENT_TYPE,
    BATCH_EVENT_TYPE,
    BINARY_CONTENT_TYPE,
    EVENT_SOURCE,
    EVENT_TYPE_PREFIX,
    FRAME_EVENT_TYPE,
    NOTE_CONTENT_TYPE,
    REPLAY_SOURCE,
    TEXT_CONTENT_TYPE,
    events_topic,
)
from virtufin_examples.frames._notes import Note, encode_note, note_dict
from virtufin_examples.frames._recording_format import (
    RECORDING_VERSION,
    Record,
    RecordedItem,
    RecordingHead,
    RecordKind,
)
from virtufin_examples.frames._recording_reader import RecordingReader
from virtufin_examples.frames._recording_writer import Continuity, RecordingWriter
from virtufin_examples.frames._reorder import MergeNumbers
from virtufin_examples.frames._run import FRAME_OVERHEAD_BYTES, FrameRun, run_of, runs_of
from virtufin_examples.frames._silence import SILENT_NS

__all__ = [
    "BATCH_CONTENT_TYPE",
    "BATCH_EVENT_TYPE",
    "BINARY_CONTENT_TYPE",
    "EVENT_SOURCE",
    "EVENT_TYPE_PREFIX",
    "FORMAT_VERSION",
    "FRAME_EVENT_TYPE",
    "FRAME_OVERHEAD_BYTES",
    "NOTE_CONTENT_TYPE",
    "RECORDING_VERSION",
    "REPLAY_SOURCE",
    "SILENT_NS",
    "TEXT_CONTENT_TYPE",
    "WINDOW_BYTES",
    "WINDOW_NS",
    "Cause",
    "ConnectionBeat",
    "Continuity",
    "Encoding",
    "Frame",
    "FrameFlag",
    "FrameRun",
    "Gap",
    "Heartbeat",
    "Item",
    "Late",
    "Marker",
    "Markers",
    "MergeNumbers",
    "Merger",
    "Message",
    "Note",
    "Overflow",
    "Received",
    "Record",
    "RecordKind",
    "RecordedItem",
    "RecordingHead",
    "RecordingReader",
    "RecordingWriter",
    "Restored",
    "Silent",
    "Stale",
    "decode_batch",
    "decode_message",
    "decode_runs",
    "encode_batch",
    "encode_frame_event",
    "encode_note",
    "encode_runs",
    "events_topic",
    "note_dict",
    "read_message",
    "run_of",
    "runs_of",
]
