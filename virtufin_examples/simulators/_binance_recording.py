"""Recordings of Binance's streams as text, and the snapshots fetched with them.

A `.ws.txt` file: line 1 is `URL <-> unix seconds`, every later line `unix seconds: frame`; blank lines are no
frames. A `.http.txt` file beside it: one line a request, `URL -> unix seconds: response body`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from virtufin_examples.errors import InvalidInputError, NotFoundError

_STREAMS_END = ".ws.txt"
_ANSWERS_END = ".http.txt"


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """A frame, verbatim, and when it came in Unix seconds."""

    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class RecordedSnapshot:
    """A REST depth answer, verbatim; `symbol` in upper case."""

    at: float
    symbol: str
    body: bytes


@dataclass(frozen=True, slots=True)
class BinanceRecording:
    """Frames in order of arrival, and snapshots in order of their answers."""

    url: str
    started: float
    frames: tuple[RecordedFrame, ...]
    snapshots: tuple[RecordedSnapshot, ...] = ()

    @classmethod
    def load(cls, path: Path) -> BinanceRecording:
        """Read a `.ws.txt` file and the `.http.txt` file beside it, where there is one.

        `NotFoundError` when it is not there, `InvalidInputError` naming file and line when it cannot be read.
        """
        if not path.name.endswith(_STREAMS_END):
            raise InvalidInputError(f"recording: {path.name} does not end in {_STREAMS_END}")
        answers = path.with_name(path.name.removesuffix(_STREAMS_END) + _ANSWERS_END)
        return parse_recording(
            _read(path), _read(answers) if answers.exists() else "", name=path.name, answers_name=answers.name
        )


def parse_recording(
    streams: str, answers: str = "", *, name: str = "recording", answers_name: str = "answers"
) -> BinanceRecording:
    """Read both texts; `InvalidInputError` names the line that cannot be read."""
    lines = streams.split("\n")
    url, arrow, started = lines[0].partition(" <-> ")
    if not arrow:
        raise InvalidInputError(f'{name}: line 1 is no "URL <-> unix seconds"')
    frames = tuple(
        RecordedFrame(_time(text, name, number), frame.encode())
        for number, line in enumerate(lines[1:], 2)
        if line.strip()
        for text, _, frame in (line.partition(": "),)
    )
    snapshots = tuple(
        _snapshot(line, answers_name, number)
        for number, line in enumerate(answers.split("\n"), 1)
        if line.strip()
    )
    return BinanceRecording(url, _time(started, name, 1), frames, snapshots)


def _snapshot(line: str, name: str, number: int) -> RecordedSnapshot:
    url, arrow, rest = line.partition(" -> ")
    text, colon, body = rest.partition(": ")
    symbol = parse_qs(urlsplit(url).query).get("symbol", [""])[-1]
    if not arrow or not colon or not symbol:
        raise InvalidInputError(f'{name}: line {number} is no "URL with a symbol -> unix seconds: body"')
    return RecordedSnapshot(_time(text, name, number), symbol.upper(), body.encode())


def _time(text: str, name: str, number: int) -> float:
    try:
        return float(text)
    except ValueError as error:
        shown = text[:40]
        raise InvalidInputError(f"{name}: line {number} starts with {shown!r}, no Unix time") from error


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        raise NotFoundError(f"recording: there is no {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"recording: {path} cannot be read: {error}") from error
