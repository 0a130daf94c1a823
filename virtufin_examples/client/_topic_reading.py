"""One topic of a subscription: its messages to items in order, and what it has counted."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from virtufin_examples.bus import Event
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames import REPLAY_SOURCE, Item, Merger, read_message

_log = logging.getLogger(__name__)

_NS_PER_SECOND = 1_000_000_000
_COMPETITION_MISSING = 20
_COMPETITION_SHARE = 0.2
"""So many numbers missing, and so large a part of all: another reader takes them. Two take half each."""


class TopicReading:
    """Merges what a topic and its companion bring."""

    def __init__(self, topic: str, merger: Merger) -> None:
        self.topic = topic
        self.merger = merger
        self.lag_ns = 0
        self.foreign = 0
        """Messages that no WebSocketManager published; the first one is reported."""
        self.replayed = 0
        """Messages that a replay of a recording published: what they carry is not live."""
        self._competition_told = False

    @property
    def lag(self) -> float:
        """Seconds from the socket's receipt of the latest frame to its hand-over."""
        return self.lag_ns / _NS_PER_SECOND

    @property
    def frames(self) -> int:
        """Frames in order so far."""
        return self.merger.numbers.frames

    @property
    def gaps(self) -> int:
        """Gaps, announced and found."""
        return self.merger.numbers.gaps

    @property
    def duplicates(self) -> int:
        """Repeats that were dropped."""
        return self.merger.numbers.duplicates

    @property
    def late(self) -> int:
        """Items that came after their gap had been told."""
        return self.merger.numbers.late

    @property
    def refused(self) -> int:
        """Frames of an instance that no longer holds the connection."""
        return self.merger.numbers.refused

    def read(self, event: Event, now_ns: int) -> Sequence[Item]:
        """Take in a message; return what is in order now."""
        try:
            message = read_message(self.topic, event.type, event.content_type, event.data, event.extensions)
        except InvalidInputError as error:
            self.foreign += 1
            if self.foreign == 1:
                _log.warning("left out, and not told again: %s", error)
            return ()
        self.replayed += event.source == REPLAY_SOURCE
        return self.merger.add(message.items, now_ns=now_ns, instance=message.instance)

    def advance(self, now_ns: int) -> Sequence[Item]:
        """Return what the passing of time brings."""
        items = self.merger.advance(now_ns)
        self._look_for_competition()
        return items

    def _look_for_competition(self) -> None:
        numbers = self.merger.numbers
        total = numbers.missing + numbers.frames
        if (
            numbers.missing >= max(_COMPETITION_MISSING, total * _COMPETITION_SHARE)
            and not self._competition_told
        ):
            self._competition_told = True
            _log.warning(
                "%d of %d frames of topic %s did not arrive: does another program read with the same app id?",
                numbers.missing,
                total,
                self.topic,
            )
