"""All messages of a topic, in whatever order they come, to one stream of items; the time is handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from virtufin_examples.frames._decode import Received
from virtufin_examples.frames._model import Heartbeat, Item
from virtufin_examples.frames._reorder import MergeNumbers, Reorder
from virtufin_examples.frames._run import FrameRun
from virtufin_examples.frames._silence import SILENT_NS, SilenceWatch

WINDOW_NS = 250_000_000
"""How long a hole is waited for: brokers that reorder do so within milliseconds."""
WINDOW_BYTES = 64 * 1024 * 1024
"""How much may be held behind holes."""


class Merger:
    """Puts each connection's items in order and tells what is missing.

    A hole waits for `window_ns` or until `window_bytes` are held, then it is handed out as a `Gap` of cause
    `bus` and what is newer goes on. What comes later still is counted, and handed out as `Late` when `late`
    is set. Repeats are dropped and counted. A gap that the publisher announced is not announced again.

    The first frame of a connection is its start; a heartbeat before it says which number that has to be, and
    for a connection that was `expect`ed it is 1. For
    the connections named by `after` the start is behind the number given there, the last that an earlier
    subscription had handed out: what is up to it is a repeat, a hole behind it a gap.
    `now_ns` may be any clock that never goes back, the same one for all calls.
    """

    def __init__(
        self,
        topic: str,
        *,
        now_ns: int,
        window_ns: int = WINDOW_NS,
        window_bytes: int = WINDOW_BYTES,
        silent_ns: int = SILENT_NS,
        late: bool = False,
        after: Mapping[str, int] | None = None,
    ) -> None:
        self._topic = topic
        self._window_ns = window_ns
        self._window_bytes = window_bytes
        self._late = late
        self._after = dict(after or {})
        self._whole: set[str] = set()
        self._streams: dict[str, Reorder] = {}
        self._waiting: set[Reorder] = set()
        self._silence = SilenceWatch(topic, silent_ns, now_ns)
        self.numbers = MergeNumbers()
        self.had_heartbeat = False

    def expect(self, connection_id: str) -> None:
        """Take number 1 for a connection's start: it exists since this subscription is in force."""
        self._whole.add(connection_id)

    def add(self, items: Sequence[Received | FrameRun], *, now_ns: int, instance: str = "") -> list[Item]:
        """Take in what one message carried; return what is in order now.

        `instance` is who published it, where known: frames of an instance that lost the connection to
        another one are refused.
        """
        out: list[Item] = []
        touched: set[Reorder] = set()
        self._silence.hear(now_ns)
        for item in items:
            if isinstance(item, Heartbeat):
                self._beat(item, now_ns)
            else:
                stream = self._streams.get(item.connection_id) or self._new_stream(item.connection_id)
                if isinstance(item, FrameRun):
                    stream.add_run(item, now_ns, instance, out)
                else:
                    stream.add(item, now_ns, instance, out)
                touched.add(stream)
        for stream in touched:
            self._note_waiting(stream)
            self._silence.hear_connection(stream.connection_id)
        self._keep_within_bytes(out)
        return out

    def advance(self, now_ns: int) -> list[Item]:
        """Return what the passing of time brings: holes given up, and `Silent` once a silence.

        A `Silent` that names connections tells of those alone: others of the topic go on.
        """
        out: list[Item] = []
        for stream in tuple(self._waiting):
            stream.expire(now_ns - self._window_ns, out)
            self._note_waiting(stream)
        out.extend(self._silence.advance(now_ns))
        return out

    def place(self) -> dict[str, int]:
        """Return by connection the last number that was handed out or passed; see `after`."""
        return {
            connection_id: stream.next_sequence - 1
            for connection_id, stream in self._streams.items()
            if stream.next_sequence is not None
        }

    def deadline_ns(self) -> int | None:
        """Return when `advance` is due, or None when nothing waits."""
        since = [stream.waits_since_ns() for stream in self._waiting]
        due = [start + self._window_ns for start in since if start is not None]
        silence = self._silence.deadline_ns()
        if silence is not None:
            due.append(silence)
        return min(due, default=None)

    def _new_stream(self, connection_id: str) -> Reorder:
        stream = Reorder(
            self._topic,
            connection_id,
            self.numbers,
            late=self._late,
            after=self._after.get(connection_id),
            whole=connection_id in self._whole,
        )
        self._streams[connection_id] = stream
        return stream

    def _beat(self, heartbeat: Heartbeat, now_ns: int) -> None:
        self.had_heartbeat = True
        self._silence.beat(heartbeat)
        if heartbeat.kind == "busy":
            return
        for beat in heartbeat.connections:
            stream = self._streams.get(beat.connection_id) or self._new_stream(beat.connection_id)
            stream.beat(beat, now_ns)
            self._note_waiting(stream)

    def _note_waiting(self, stream: Reorder) -> None:
        if stream.waits_since_ns() is None:
            self._waiting.discard(stream)
        else:
            self._waiting.add(stream)

    def _keep_within_bytes(self, out: list[Item]) -> None:
        while sum(stream.held_bytes for stream in self._waiting) > self._window_bytes:
            fullest = max(self._waiting, key=lambda stream: stream.held_bytes)
            fullest.release(out)
            self._note_waiting(fullest)
