"""Hypothesis strategies for the items of a stream."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

from virtufin_examples.frames import (
    Cause,
    ConnectionBeat,
    Frame,
    FrameFlag,
    Gap,
    Heartbeat,
    Restored,
    Stale,
)

TOPIC = "ticks"

steady = settings(derandomize=True, deadline=None)
"""The same examples each time, however busy the machine is."""

u64 = st.integers(0, 2**64 - 1)
nanoseconds = st.integers(0, 2**63 - 1)
sequences = st.integers(1, 2**63)
texts = st.text('aB7 \u00e9\u20ac\U0001f600"\\\n\x00', max_size=40)
names = st.text('ab-7\u00e9"', min_size=1, max_size=12)
other_flags = st.sampled_from(
    [FrameFlag.NONE, FrameFlag.BACKFILL, FrameFlag.RECOVERED | FrameFlag.SIMULATED, FrameFlag.SIMULATED]
)
payloads = st.one_of(
    st.tuples(texts.map(str.encode), other_flags),
    st.tuples(st.binary(max_size=40), other_flags.map(lambda flags: flags | FrameFlag.BINARY)),
)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    data, flags = draw(payloads)
    return Frame(
        TOPIC,
        draw(names),
        draw(u64),
        draw(sequences),
        draw(nanoseconds),
        data,
        flags,
        draw(st.one_of(st.just(0), u64)),
        draw(st.sampled_from(["", "wss://stream.example/v2"])),
    )


symbols = st.lists(names, max_size=3).map(tuple)
gaps = st.builds(
    Gap,
    topic=names,
    connection_id=names,
    epoch_before=u64,
    epoch_after=u64,
    cause=st.sampled_from(Cause),
    from_ns=nanoseconds,
    to_ns=nanoseconds,
    ended=st.booleans(),
    sequence=u64,
    first_sequence=u64,
    last_sequence=u64,
    symbols=symbols,
    venue_from=u64,
    venue_to=u64,
)
stales = st.builds(
    Stale,
    topic=names,
    connection_id=names,
    epoch=u64,
    sequence=u64,
    since_ns=nanoseconds,
    symbols=symbols,
    reason=texts,
)
restoreds = st.builds(
    Restored, topic=names, connection_id=names, epoch=u64, sequence=u64, since_ns=nanoseconds, symbols=symbols
)
beats = st.builds(
    ConnectionBeat,
    connection_id=names,
    state=st.sampled_from(["connected", "reconnecting"]),
    epoch=u64,
    last_sequence=u64,
    last_received_ns=nanoseconds,
    queued_bytes=u64,
)
heartbeats = st.builds(
    Heartbeat,
    topic=names,
    kind=st.sampled_from(["start", "beat", "busy", "stop"]),
    sent_ns=nanoseconds,
    connections=st.lists(beats, max_size=3).map(tuple),
)
notes = st.one_of(gaps, stales, restoreds, heartbeats)
