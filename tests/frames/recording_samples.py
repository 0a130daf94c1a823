"""What the checked-in recordings hold, and how one is made.

`python -m tests.frames.recording_samples FOLDER` writes the files of the present format version. Those of a
version that was released are never written again.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from virtufin_examples.frames import (
    RECORDING_VERSION,
    Cause,
    Frame,
    FrameFlag,
    Gap,
    RecordedItem,
    RecordingHead,
    RecordingReader,
    RecordingWriter,
    Restored,
    Silent,
    Stale,
)

HEAD = RecordingHead(topic="ticks", id="5f0c2a9e", created_ns=1_700_000_000_000_000_000)
START_NS = 1_700_000_000_000_000_001


def frame(sequence: int, data: bytes = b"", **more) -> Frame:
    fields = {"connection_id": "c", "epoch": 1, "received_ns": START_NS + sequence, **more}
    return Frame("ticks", sequence=sequence, data=data or b"x%d" % sequence, **fields)


SESSIONS: tuple[tuple[tuple[RecordedItem, ...], ...], ...] = (
    (
        (frame(1, '{"p":1.10,"s":"€"}'.encode()), frame(2, b"", flags=FrameFlag.SIMULATED)),
        (
            frame(3, b"\x00\xff\xfevr", flags=FrameFlag.BINARY, venue_sequence=2**64 - 1),
            Gap(
                topic="ticks",
                connection_id="c",
                epoch_before=1,
                epoch_after=2,
                cause=Cause.RECONNECT,
                from_ns=START_NS + 3,
                to_ns=START_NS + 2**60,
                sequence=4,
                symbols=("BTC/USD",),
                venue_from=2**63,
                venue_to=2**63 + 5,
            ),
            frame(5, epoch=2, connection_url="wss://stream.example/v2", flags=FrameFlag.BACKFILL),
            frame(1, connection_id="d", received_ns=START_NS - 7),
        ),
        (
            Stale(topic="ticks", connection_id="c", epoch=2, sequence=6, since_ns=START_NS, reason="no data"),
            Restored(
                topic="ticks", connection_id="c", epoch=2, sequence=7, since_ns=START_NS, symbols=("A",)
            ),
            Silent(topic="ticks", since_ns=START_NS + 2**55, hint="nothing is being published"),
        ),
    ),
    ((frame(8, epoch=2), frame(9, epoch=2, data=b"y" * 300)),),
)
ITEMS = [item for session in SESSIONS for taken in session for item in taken]


def recording(sessions=SESSIONS, *, head: RecordingHead = HEAD, end: bool = True) -> bytes:
    """The bytes of a file; without `end` its last session has no end record."""
    out, number = b"", 1
    for index, session in enumerate(sessions):
        writer = RecordingWriter(head, first_number=number)
        out = out or writer.head
        for taken, items in enumerate(session):
            for record in writer.items(items, START_NS + taken):
                out += record
                number += 1
        if end or index < len(sessions) - 1:
            out += writer.end(START_NS + 10)
            number += 1
    return out


def read(data: bytes) -> list[RecordedItem]:
    return [item for record in RecordingReader(io.BytesIO(data), "a.rec") for item in record.items]


def main() -> None:
    folder = Path(sys.argv[1])
    whole = recording()
    (folder / f"v{RECORDING_VERSION}.rec").write_bytes(whole)
    (folder / f"v{RECORDING_VERSION}-torn.rec").write_bytes(recording(end=False)[:-40])


if __name__ == "__main__":
    main()
