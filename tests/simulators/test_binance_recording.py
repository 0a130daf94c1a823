"""The format of recordings, and what is said of one that cannot be read."""

import pytest

from virtufin_examples.errors import InvalidInputError, NotFoundError
from virtufin_examples.simulators import BinanceRecording, parse_recording

STREAMS = 'wss://x/stream?streams=a <-> 100.5\n101.25: {"a": 1}\n\n102: b: c\n'
ANSWERS = 'https://x/api/v3/depth?symbol=btcusdt&limit=5 -> 101.5: {"lastUpdateId":1}\n'


def test_frames_and_snapshots_are_kept_verbatim():
    recording = parse_recording(STREAMS, ANSWERS)
    assert (recording.url, recording.started) == ("wss://x/stream?streams=a", 100.5)
    assert [(frame.at, frame.data) for frame in recording.frames] == [(101.25, b'{"a": 1}'), (102.0, b"b: c")]
    (snapshot,) = recording.snapshots
    assert (snapshot.at, snapshot.symbol, snapshot.body) == (101.5, "BTCUSDT", b'{"lastUpdateId":1}')


@pytest.mark.parametrize(
    ("streams", "answers", "text"),
    [
        ("", "", 'line 1 is no "URL <-> unix seconds"'),
        ("x <-> soon", "", "line 1 starts with 'soon'"),
        ("x <-> 1\n1: a\nb: c", "", "line 3 starts with 'b'"),
        ("x <-> 1", "https://x -> 1: {}", "answers: line 1 is no"),
        ("x <-> 1", "https://x?symbol=A -> ?: {}", "answers: line 1 starts with '?'"),
    ],
)
def test_a_broken_line_is_named(streams, answers, text):
    with pytest.raises(InvalidInputError) as caught:
        parse_recording(streams, answers)
    assert text in str(caught.value)


def test_files_are_read_in_pairs(tmp_path):
    path = tmp_path / "one.ws.txt"
    with pytest.raises(NotFoundError, match=r"one\.ws\.txt"):
        BinanceRecording.load(path)
    path.write_text(STREAMS)
    assert BinanceRecording.load(path).snapshots == ()
    (tmp_path / "one.http.txt").write_text(ANSWERS)
    assert len(BinanceRecording.load(path).snapshots) == 1
    with pytest.raises(InvalidInputError, match="does not end in"):
        BinanceRecording.load(tmp_path / "one.http.txt")
    path.write_bytes(b"\xff")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        BinanceRecording.load(path)
