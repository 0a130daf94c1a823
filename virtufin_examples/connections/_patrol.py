"""The data watchdog of one connection put to work: symbols from the frames, markers into the stream."""

from __future__ import annotations

from virtufin_examples.connections._context import Context
from virtufin_examples.connections._continuity import Continuity
from virtufin_examples.connections._ending import Ending
from virtufin_examples.connections._epoch import Epoch
from virtufin_examples.connections._silence import QuietSymbols, Remedy, Silence
from virtufin_examples.connections._watchdog import DataWatch


class Patrol:
    """Called about every second for each socket that is up."""

    def __init__(self, context: Context, continuity: Continuity | None) -> None:
        self._context = context
        self._continuity = continuity
        self._watch: DataWatch | None = None
        self._quiet = QuietSymbols()

    @property
    def stale_symbols(self) -> tuple[str, ...]:
        """The symbols that are stale."""
        return self._watch.stale_symbols if self._watch is not None else ()

    def opened(self) -> None:
        """A socket is up: the time without one was no silence of the venue."""
        if self._watch is not None:
            self._watch.opened(self._context.clock.monotonic())

    def look(self, epoch: Epoch) -> Ending | None:
        """Put what became stale or came back into the stream; return why when all data have stopped."""
        context, stream = self._context, self._context.stream
        watch = self._watch = self._watch or DataWatch(self._quiet_seconds(epoch))
        if not epoch.is_live or epoch.is_paused:
            return None
        now_ns = context.clock.now_ns()
        symbols = self._symbols(epoch)
        wanted = epoch.session.wanted()
        if wanted is not None:
            watch.forget_all_but(wanted)
            symbols &= wanted
        change = watch.tick(
            context.clock.monotonic(),
            self._data_frames,
            symbols,
            is_open=wanted != frozenset() and epoch.session.is_open(now_ns),
        )
        if change.restored or change.restored_symbols:
            stream.announce_restored(() if change.restored else change.restored_symbols, epoch.number, now_ns)
        if change.stale_symbols:
            stream.announce_stale(
                change.stale_symbols, "no frame for longer than usual", epoch.number, now_ns
            )
        if not change.stale:
            return None
        reason = f"no data for {change.quiet_seconds:.0f} s"
        stream.announce_stale((), reason, epoch.number, now_ns)
        return Ending(reason, "DataStopped")

    def remedy(self, epoch: Epoch, silence: Silence) -> Remedy:
        """Return what a socket's silence calls for; after `look`."""
        watch, link = self._watch, epoch.link
        if watch is None or link is None:
            return Remedy.NONE
        return silence.tick(
            self._context.clock.monotonic(),
            socket=epoch.number,
            frames=link.frames - link.controls,
            limit=watch.limit_seconds,
            watched=not watch.is_off and self._is_watched(epoch),
        )

    def symbols_to_ask_for(self, epoch: Epoch) -> tuple[str, ...]:
        """Return the confirmed symbols that have stopped or never came, each when it is its turn."""
        watch = self._watch
        if watch is None or watch.is_stale or not self._is_watched(epoch):
            return ()
        confirmed = epoch.session.acknowledged()
        return self._quiet.due(
            self._context.clock.monotonic(),
            watch.stale_symbols,
            () if confirmed is None else watch.unseen(confirmed),
        )

    def _is_watched(self, epoch: Epoch) -> bool:
        """Whether data are expected now."""
        return (
            epoch.is_live
            and not epoch.is_paused
            and epoch.session.wanted() != frozenset()
            and epoch.session.is_open(self._context.clock.now_ns())
        )

    @property
    def _data_frames(self) -> int:
        return self._context.stream.frames - self._context.stream.controls

    def _quiet_seconds(self, epoch: Epoch) -> float | None:
        given = self._context.healing.quiet_seconds
        return epoch.session.quiet_seconds() if given is None else given

    def _symbols(self, epoch: Epoch) -> set[str]:
        if self._continuity is not None:
            return self._continuity.take_symbols()
        if epoch.link is None:
            return set()
        peek = epoch.peek
        return {seen.symbol for payload in epoch.link.take_sample() for seen in peek(payload)}
