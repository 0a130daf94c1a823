"""Which of a topic's connections are a feed's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from virtufin_examples.errors import VirtufinError
from virtufin_examples.frames import Frame, Item, Late, Silent


class OwnConnections:
    """Tells a feed's items from those of other feeds on its topic, also of earlier ones that a broker holds.

    `known` are connections of the feed. `look` returns those that there are by now: another program may have
    added some. It is asked once for each connection that is not known.
    """

    def __init__(self, known: Iterable[str], look: Callable[[], Awaitable[Iterable[str]]]) -> None:
        self._ours = dict.fromkeys(known, True)
        self._look = look

    def verdict(self, item: Item) -> bool | None:
        """Return whether an item is the feed's own; None: `find_out` first."""
        if isinstance(item, Frame):
            return self._ours.get(item.connection_id)
        verdicts = [self._ours.get(each) for each in _connections(item)]
        if not verdicts or True in verdicts:
            return True
        return None if None in verdicts else False

    async def find_out(self, item: Item) -> bool:
        """Ask; a platform that does not answer leaves it open, and the item counts as the feed's own."""
        try:
            ours = set(await self._look())
        except VirtufinError:
            return True
        self._ours.update(dict.fromkeys(ours, True))
        return True in [self._ours.setdefault(each, False) for each in _connections(item)]


def _connections(item: Item) -> tuple[str, ...]:
    """Return the connections that an item is of; none for what concerns the whole topic."""
    if isinstance(item, Silent):
        return item.connections
    return ((item.frame if isinstance(item, Late) else item).connection_id,)
