"""One managed upstream WebSocket, named by an id that outlives its sockets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from itertools import takewhile

import structlog

from virtufin_examples.connections._context import ConnectionSpec, Context, Environment, url_template
from virtufin_examples.connections._coverage import Uncovered
from virtufin_examples.connections._ending import PLANNED, Ending
from virtufin_examples.connections._epoch import GOING_AWAY, NORMAL_CLOSURE, Epoch
from virtufin_examples.connections._grants import Grants
from virtufin_examples.connections._handshake import Handshake, HandshakeMessage, joins_handshake
from virtufin_examples.connections._healing import Watch
from virtufin_examples.connections._line import Line
from virtufin_examples.connections._patrol import Patrol
from virtufin_examples.connections._secrets import require_no_references
from virtufin_examples.connections._sequencer import Ledger
from virtufin_examples.connections._sharing import Sharing
from virtufin_examples.connections._silence import Remedy, Silence
from virtufin_examples.connections._state import ConnectionEvent, State, StateMachine
from virtufin_examples.connections._stream import Outlet, Stream
from virtufin_examples.errors import (
    ConflictError,
    PreconditionError,
    UnavailableError,
    VenueError,
    VirtufinError,
)
from virtufin_examples.frames import Cause, Gap
from virtufin_examples.venues import Arrival, Session

PATIENCE_SECONDS = 5.0
"""How long opening waits for the venue's connect budget; a longer wait is reported as a state."""

_NAMED = 10  # symbols in a line of the log

_log = structlog.get_logger(__name__)


class Connection:
    """Opens sockets one after the other, replays the handshake on each, and numbers what they bring.

    `start` makes the first attempt. With `auto_reconnect` it retries without limit until the venue refuses
    for good; otherwise the end of the socket is the end of the connection. Belongs to one event loop.
    `on_handshake` is called when what is replayed has changed.
    """

    def __init__(
        self,
        spec: ConnectionSpec,
        environment: Environment,
        ledger: Ledger,
        *,
        handshake: tuple[HandshakeMessage, ...] = (),
        randomness: Callable[[], float] = random.random,
    ) -> None:
        self.spec = spec
        self.template = url_template(spec.url)
        self.stream = Stream(spec.id, self.template, environment.clock.monotonic)
        self.reconnects = 0
        self.reason = ""
        self.on_handshake: Callable[[], None] = _ignore
        self._context = Context(spec, environment, self.stream, randomness)
        self._clock = environment.clock
        self._observer = environment.observer
        self._ledger = ledger
        self._line = Line(self, self._context)
        self._context.require_symbols(self._line.session)
        self._lines = [self._line]
        self._handshake = Handshake()
        self._restore(handshake)
        self._machine = StateMachine()
        self.asked_again = 0
        """How often the subscription was sent again because its data did not come."""
        every = self._context.healing.watch is Watch.EVERY or self._context.healing.sockets > 1
        self._sharing = Sharing(environment.clock, every=every, uncovered=self._uncovered)
        self._context.scope.join(self._sharing)
        self._patrol = Patrol(self._context, self._sharing.continuity)
        self._grants = Grants(ledger, self.stream, environment.clock)
        self._epoch = 0
        self._lost: Ending | None = None
        self._paused = False
        self._sending = asyncio.Lock()
        self._first: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._extending = False

    # --- what it is ---

    @property
    def state(self) -> State:
        """What it is doing."""
        return self._machine.state

    @property
    def epoch(self) -> int:
        """The number of the newest socket, 0 before the first."""
        return self._epoch

    @property
    def is_live(self) -> bool:
        """Whether the venue has answered all that was sent on a socket that is open now."""
        return any(epoch.is_live for epoch in self._sharing.epochs)

    @property
    def missing(self) -> tuple[str, ...]:
        """The wanted symbols that the venue left out of its last acknowledgement."""
        return self._sharing.epochs[-1].missing if self._sharing.epochs else ()

    @property
    def wanted_symbols(self) -> tuple[str, ...]:
        """The symbols that are wanted; none where the connector cannot tell, or all are."""
        return tuple(sorted(self._line.session.wanted() or ()))

    @property
    def acknowledged_symbols(self) -> tuple[str, ...]:
        """Those of the wanted symbols that the venue has confirmed on a socket that is up."""
        confirmed = [epoch.session.acknowledged() or frozenset() for epoch in self._sharing.up]
        return tuple(sorted(frozenset().union(*confirmed)))

    @property
    def stale_symbols(self) -> tuple[str, ...]:
        """The symbols that have stopped arriving."""
        return self._patrol.stale_symbols

    @property
    def backfill(self) -> str:
        """Whether what a gap missed is fetched, in the connector's words; empty: it cannot be."""
        return self._line.session.backfill()

    @property
    def handshake(self) -> tuple[HandshakeMessage, ...]:
        """What is replayed after each connect: what was remembered, then the whole wanted set."""
        return (*self._handshake.messages, *_subscriptions(self._line.session))

    @property
    def restorable(self) -> bool:
        """Whether it can be opened again after a restart from what may be written down."""
        return self.spec.auto_reconnect and self._handshake.restorable and self.template == self.spec.url

    @property
    def simulated(self) -> bool:
        """Whether a simulator answers."""
        return any(epoch.link is not None and epoch.link.simulated for epoch in self._sharing.epochs)

    # --- life ---

    async def start(self) -> None:
        """Open the first socket.

        Raises `UnavailableError` or, where trying again cannot help, `VenueError` when that fails; with
        `auto_reconnect` only the latter does, and retries go on.
        """
        loop = asyncio.get_running_loop()
        self._first = loop.create_future()
        self._first.add_done_callback(_retrieved)
        self._emit(State.CONNECTING, attempt=1)
        self._spawn(self._run(self._line), "run")
        await asyncio.shield(self._first)

    async def close(self, *, code: int = NORMAL_CLOSURE, reason: str = "") -> None:
        """End it for good; returns when the sockets are gone."""
        links = [epoch.link for epoch in self._sharing.epochs if epoch.link is not None]
        for link in links:
            link.close(code, reason)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tell_first(UnavailableError(f"connection {self.spec.id} was closed"))
        await asyncio.gather(*(link.wait_closed() for link in links))
        if self.state is not State.DISCONNECTED:
            self._move(State.DISCONNECTED, reason=reason)

    def lose(self, reason: str) -> None:
        """Fail because another instance has the record: what comes in is no longer ours to number."""
        self._lost = Ending(reason, "RecordLost", permanent=True)
        for epoch in tuple(self._sharing.epochs):
            epoch.end(self._lost, GOING_AWAY)

    def renew(self, reason: str) -> None:
        """Replace the sockets by plan; without a break where the venue allows one more."""
        for line in self._lines:
            line.renew(reason)

    # --- messages ---

    async def send(self, message: HandshakeMessage, *, replay: bool | None = None) -> None:
        """Send a message, and remember it where it joins the handshake.

        A change of the wanted set that the connector understands is folded into it, unless `replay` is
        False. Raises `PreconditionError` when no socket is open, what the connector's check raises, and what
        resolving its secrets raises; nothing is sent or remembered then.
        """
        async with self._sending:
            epochs = self._require_up()
            session = self._line.session
            session.check(message.payload, binary=message.binary)
            self._context.require_symbols(session, message.payload)
            changes = session.folds(message.payload)
            if changes and message.secrets:
                require_no_references(message.payload)
            folds = replay is not False and changes
            joins = not folds and joins_handshake(
                replay, auto_reconnect=self.spec.auto_reconnect, published=self.stream.published_once
            )
            if joins or folds:
                Handshake(self.handshake).require_room(message)
            for epoch in epochs:
                await epoch.send(message, lasting=joins or folds)
            for epoch in self._sharing.epochs:
                epoch.follow(message, lasting=joins or folds)
            if session not in [epoch.session for epoch in epochs]:
                session.sent(message.payload, binary=message.binary, lasting=joins or folds)
            if joins:
                self._handshake.add(message)
        if joins or folds:
            self.on_handshake()

    async def request(self, payload: bytes, *, binary: bool, seconds: float) -> bytes:
        """Send a message and return the answer; see `Link.request`."""
        link = self._require_up()[0].link
        assert link is not None  # noqa: S101 - an epoch that is up has one
        return await link.request(payload, binary=binary, seconds=seconds)

    # --- publishing ---

    def publish_to(self, outlet: Outlet) -> None:
        """Hand all frames to the outlet, those held first."""
        self.stream.publish_to(outlet)
        if len(self._lines) < self._context.healing.sockets and not self._machine.is_over:
            second = Line(self, self._context)
            self._lines.append(second)
            self._spawn(self._run(second), "run")

    def unpublish(self, *, hold: bool = False) -> None:
        """Hand no more frames on; see `Stream.unpublish`."""
        self.stream.unpublish(hold=hold)
        self.resume_reading()

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`, on these sockets and the next."""
        self._paused = True
        for epoch in self._sharing.epochs:
            epoch.pause(paused=True)

    def resume_reading(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            for epoch in self._sharing.epochs:
                epoch.pause(paused=False)

    # --- the host of lines ---

    def new_epoch(self, session: Session) -> Epoch:
        """Return an epoch that has not begun."""
        return Epoch(self, self._context, session, self._sharing, self._grants)

    def line_broke(self, line: Line, ending: Ending) -> bool:
        """Settle what the end of a socket means; return whether another is to be opened."""
        ending = self._lost or ending
        retry = self.spec.auto_reconnect and not ending.permanent
        if ending.error_type not in {"", PLANNED}:
            self.noted(ending.error_type, ending.reason)
        if self._sharing.is_any_up:
            return retry
        if self._machine.is_over:
            return False
        if not retry:
            self._finish(ending)
            return False
        if line.attempt > 1:
            self.stream.stays_broken(self._epoch, self._clock.now_ns())
        self._move(State.RECONNECTING, reason=ending.reason, attempt=line.attempt)
        self._tell_first(None)
        return True

    def line_moved(self, line: Line, reason: str) -> None:
        """Say that a successor has taken over."""
        self.reconnects += 1
        self._emit("renewed", reason=reason, attempt=line.attempt)

    def leave(self, epoch: Epoch, cause: Cause = Cause.RECONNECT) -> None:
        """Take a socket out; what it leaves uncovered comes in its place among what waited for it."""
        waited = self._sharing.leave(epoch)
        covered_until_ns = self._sharing.covered_until_ns
        if covered_until_ns and not self._sharing.up:
            vouched = len(list(takewhile(lambda each: each.received_ns <= covered_until_ns, waited)))
            self._release(epoch, waited[:vouched])
            waited = waited[vouched:]
            self.stream.broke(cause, covered_until_ns)
            if waited and epoch.session.reads_answers:  # of a socket that the venue has not confirmed
                self.stream.stays_broken(waited[0].epoch, waited[0].received_ns)
        self._release(epoch, waited)

    @staticmethod
    def _release(epoch: Epoch, waited: Sequence[Arrival]) -> None:
        if waited and epoch.link is not None:
            epoch.link.release(waited)

    # --- the host of epochs ---

    def waiting(self, seconds: float) -> bool:
        """Wait for the venue's connect budget, but do not let the caller of `start` wait for long."""
        if seconds <= PATIENCE_SECONDS:
            return True
        if self.spec.auto_reconnect:
            self.reason = f"waits {seconds:.0f} s for the venue's connect budget"
            self._tell_first(None)
        return self.spec.auto_reconnect

    def may_open_another(self) -> bool:
        """Return whether the venue allows one more socket beside those that there are."""
        return self._context.scope.has_room

    def opened(self, epoch: Epoch) -> None:
        """Note the newest socket."""
        self._epoch = max(self._epoch, epoch.number)
        self._sharing.opened(epoch)

    def went_up(self, epoch: Epoch, replayed: int) -> None:
        """A socket is open and its handshake answered."""
        if self._machine.is_over:  # the other line was refused for good meanwhile
            epoch.end(Ending(self.reason, PLANNED))
            return
        self._sharing.went_up(epoch)
        self._patrol.opened()
        if self._paused:  # only now: the answers to the handshake had to be read
            epoch.pause(paused=True)
        if self._machine.state is State.CONNECTED:
            return
        if self._machine.state is State.RECONNECTING and self._epoch > 1:
            self.reconnects += 1
        self._move(State.CONNECTED, replayed=replayed)
        self._tell_first(None)

    def data_flows(self, epoch: Epoch, now_ns: int, *, answered: bool) -> None:
        """Announce the break before them; as one that goes on while the venue has not answered all."""
        if answered:
            self._tell_what_was_missed(epoch, self.stream.mended(epoch.number, now_ns))
        else:
            self.stream.stays_broken(epoch.number, now_ns)

    def went_live(self, epoch: Epoch) -> None:
        """End the break that there was and tell, where a connector can tell."""
        if epoch.session.reads_answers:
            self._tell_what_was_missed(epoch, self.stream.mended(epoch.number, self._clock.now_ns()))
            missing = f"the venue left out {', '.join(epoch.missing)}" if epoch.missing else ""
            self._emit("live", reason=missing)

    def ticked(self, epoch: Epoch) -> None:
        """Look after the data, and after what two sockets wait for."""
        self._sharing.tick(epoch)
        stopped = self._patrol.look(epoch)
        if stopped is not None:
            self.noted(stopped.error_type, stopped.reason)
        for line in self._lines:
            if line.current is epoch and self.spec.auto_reconnect:
                self._treat(epoch, line.silence)

    def wants_successor(self, epoch: Epoch, reason: str) -> None:
        """Replace a socket that will end by plan."""
        for line in self._lines:
            if epoch is line.current:
                line.renew(reason)

    def handshake_changed(self) -> None:
        """Pass it on."""
        self.on_handshake()

    def noted(self, error_type: str, reason: str) -> None:
        """Tell the observer."""
        self._emit("error", error_type=error_type, reason=reason)

    def low(self) -> None:
        """Reserve the next block of sequences."""
        if not self._extending:
            self._extending = True
            self._spawn(self._extend(), "extend")

    # --- inside ---

    def _restore(self, messages: tuple[HandshakeMessage, ...]) -> None:
        """Give what was written down back: the wanted set to the session, the rest to the handshake."""
        for message in messages:
            if self._line.session.folds(message.payload):
                self._line.session.sent(message.payload, binary=message.binary)
            else:
                self._handshake.add(message)

    def _treat(self, epoch: Epoch, silence: Silence) -> None:
        """Do something about what was confirmed and does not come."""
        quiet_seconds = silence.seconds(self._clock.monotonic())
        remedy = self._patrol.remedy(epoch, silence)
        if remedy is Remedy.NONE:
            symbols = self._patrol.symbols_to_ask_for(epoch)
            if symbols:
                why = f"nothing of {', '.join(symbols[:_NAMED])}"
                self._spawn(self._ask_again(self._sharing.up, why), "ask")
            return
        quiet = f"no data for {quiet_seconds:.0f} s"
        if remedy is Remedy.REPLACE:
            epoch.end(Ending(quiet, "DataStopped"), GOING_AWAY)
        else:
            self._spawn(self._ask_again([epoch], quiet), "ask")

    async def _ask_again(self, epochs: Sequence[Epoch], why: str) -> None:
        """Send the whole subscription again: what is there already is left as it is by the venue."""
        asked = False
        async with self._sending:
            for epoch in epochs:
                if epoch.session.expects():
                    continue
                messages = _subscriptions(epoch.session)
                try:
                    for message in messages:
                        await epoch.send(message, lasting=True)
                except VirtufinError as error:
                    self.noted(type(error).__name__, f"asking again: {error}")
                else:
                    asked = asked or bool(messages)
        if asked:
            self.asked_again += 1
            self._emit("asked_again", reason=why, attempt=self.asked_again)

    async def _run(self, line: Line) -> None:
        try:
            await line.run()
        except Exception as error:  # noqa: BLE001 - a fault of ours must end in a state that can be seen
            _log.exception("connection failed by a fault of ours", connection_id=self.spec.id)
            if not self._machine.is_over:
                self._move(State.FAILED, reason=f"internal error: {error!r}")
            self._tell_first(VirtufinError(f"connection failed: {error!r}"))

    def _tell_what_was_missed(self, epoch: Epoch, gap: Gap | None) -> None:
        if gap is None or gap.cause is Cause.RESTART:
            return
        try:
            epoch.session.missed(gap.from_ns, gap.to_ns)
        except Exception as error:  # noqa: BLE001 - a plugin: its fault must not end the connection
            self.noted("ConnectorFailed", f"missed: {error!r}")

    def _uncovered(self, time: Uncovered) -> None:
        gap = self.stream.announce_uncovered(time)
        up = self._sharing.up
        if time.ended and up:
            self._tell_what_was_missed(up[-1], gap)

    def _finish(self, ending: Ending) -> None:
        self.stream.stays_broken(self._epoch, self._clock.now_ns())
        failed = ending.permanent or self.state is State.CONNECTING
        self._move(State.FAILED if failed else State.DISCONNECTED, reason=ending.reason)
        self._tell_first(
            VenueError(ending.reason) if ending.permanent else UnavailableError(ending.reason or "closed")
        )

    def _require_up(self) -> list[Epoch]:
        up = self._sharing.up
        if not up or self.state is not State.CONNECTED:
            raise PreconditionError(
                f"connection {self.spec.id} is {self.state}"
                + (f": {self.reason}" if self.reason else ", not connected")
            )
        return up

    async def _extend(self) -> None:
        """Reserve the next block of sequences; until the state store answers, the rest of this one lasts."""
        try:
            self.stream.extend(await self._ledger.extend())
        except ConflictError as error:
            self.lose(str(error))
        except VirtufinError as error:
            _log.warning("no sequences reserved", connection_id=self.spec.id, error=str(error))
            await self._clock.sleep(1.0)
        finally:
            self._extending = False

    def _tell_first(self, error: VirtufinError | None) -> None:
        if self._first is None or self._first.done():
            return
        if error is None:
            self._first.set_result(None)
        else:
            self._first.set_exception(error)

    def _move(self, to: State, *, reason: str = "", attempt: int = 0, replayed: int = 0) -> None:
        self._machine.move(to)
        self.reason = reason
        self._emit(to, reason=reason, attempt=attempt, replayed=replayed)

    def _emit(
        self, kind: str, *, reason: str = "", attempt: int = 0, error_type: str = "", replayed: int = 0
    ) -> None:
        self._observer.connection_changed(
            ConnectionEvent(
                kind=kind,
                connection_id=self.spec.id,
                url=self.template,
                epoch=self._epoch,
                owner=self.spec.owner,
                attempt=attempt,
                reason=reason,
                error_type=error_type,
                replayed=replayed,
            )
        )

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=f"connection-{name}")
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)


def _subscriptions(session: Session) -> tuple[HandshakeMessage, ...]:
    """The messages that ask for the whole wanted set; what looks like a secret in them is not resolved."""
    return tuple(HandshakeMessage(each.payload, each.binary) for each in session.subscriptions())


def _ignore() -> None:
    """Do nothing: nobody writes the handshake down."""


def _retrieved(first: asyncio.Future[None]) -> None:
    """Look at the outcome, which nobody else does when the caller of `start` has gone."""
    if not first.cancelled():
        first.exception()
