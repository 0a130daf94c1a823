"""Who has fallen silent on a topic: everybody, or some connections while others go on. Time is handed in."""

from __future__ import annotations

from dataclasses import dataclass, field

from virtufin_examples.frames._model import Heartbeat, Silent

SILENT_NS = 6_000_000_000
"""Three heartbeats: a live publisher names each of its connections every two seconds."""

_FORGOTTEN_NS = 60_000_000_000
"""A publisher whose last heartbeat is by so much older than another's was gone before we came: what a broker
has kept of it is history, and its silence no news."""


@dataclass(slots=True)
class _Publisher:
    sent_ns: int = 0
    connections: tuple[str, ...] = ()
    ended: bool = False


@dataclass(slots=True)
class SilenceWatch:
    """Tells `Silent` once for a topic, and once for connections of a publisher that is not heard any more.

    A connection is watched as soon as a heartbeat of a publisher that names itself has named it, until a
    later one of that publisher leaves it out, or is its last. Its time runs with the topic's: a stretch
    without any message counts for a third of `silent_ns` at most, so that a bus that stood still makes nobody
    silent whose next message comes right behind the others'.
    """

    topic: str
    silent_ns: int
    heard_ns: int
    """When the last message came."""
    _told: bool = False
    _life_ns: int = 0  # how long the topic has lived
    _heard: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By connection the topic's life and the time when it was heard, the longest ago first; none told yet."""
    _owners: dict[str, str] = field(default_factory=dict)
    _publishers: dict[str, _Publisher] = field(default_factory=dict)

    def hear(self, now_ns: int) -> None:
        """Note that a message came."""
        self._life_ns = self._life(now_ns)
        self.heard_ns = now_ns
        self._told = False

    def hear_connection(self, connection_id: str) -> None:
        """Note that the message that came was a connection's."""
        if connection_id in self._owners:
            self._heard.pop(connection_id, None)
            self._heard[connection_id] = (self._life_ns, self.heard_ns)

    def beat(self, heartbeat: Heartbeat) -> None:
        """Note who lives, by the heartbeat that came. One without a name tells nothing of connections."""
        if not heartbeat.publisher:
            return
        publisher = self._publishers.setdefault(heartbeat.publisher, _Publisher())
        if publisher.ended and heartbeat.kind != "start":  # overtaken by the last one
            return
        publisher.ended = heartbeat.kind == "stop"
        publisher.sent_ns = heartbeat.sent_ns
        named = () if publisher.ended else tuple(beat.connection_id for beat in heartbeat.connections)
        before, publisher.connections = publisher.connections, named
        for connection_id in set(before).difference(named):
            self._leave(connection_id, heartbeat.publisher)
        for connection_id in named:
            self._owners[connection_id] = heartbeat.publisher
            self.hear_connection(connection_id)
        self._forget_before(heartbeat.sent_ns - _FORGOTTEN_NS)

    def advance(self, now_ns: int) -> list[Silent]:
        """Return what the passing of time brings; `since_ns` is in the clock that is handed in."""
        out: list[Silent] = []
        life_ns = self._life(now_ns)
        silent: list[str] = []
        for connection_id, (heard_ns, _) in self._heard.items():
            if life_ns - heard_ns < self.silent_ns:
                break
            silent.append(connection_id)
        if silent:
            _, since_ns = self._heard[silent[0]]
            out.append(Silent(topic=self.topic, since_ns=since_ns, connections=tuple(silent)))
            for connection_id in silent:
                del self._heard[connection_id]
        if not self._told and now_ns - self.heard_ns >= self.silent_ns:
            self._told = True
            out.append(Silent(topic=self.topic, since_ns=self.heard_ns))
        return out

    def deadline_ns(self) -> int | None:
        """Return when `advance` is due while no message comes, or None."""
        due: list[int] = []
        if not self._told:
            due.append(self.heard_ns + self.silent_ns)
        if self._heard:
            heard_ns, _ = next(iter(self._heard.values()))
            left_ns = heard_ns + self.silent_ns - self._life_ns
            if left_ns <= self.silent_ns // 3:
                due.append(self.heard_ns + left_ns)
        return min(due, default=None)

    def _life(self, now_ns: int) -> int:
        return self._life_ns + min(now_ns - self.heard_ns, self.silent_ns // 3)

    def _leave(self, connection_id: str, publisher: str) -> None:
        if self._owners.get(connection_id) == publisher:
            del self._owners[connection_id]
            self._heard.pop(connection_id, None)

    def _forget_before(self, sent_ns: int) -> None:
        old = [name for name, publisher in self._publishers.items() if publisher.sent_ns < sent_ns]
        for name in old:
            for connection_id in self._publishers.pop(name).connections:
                self._leave(connection_id, name)
