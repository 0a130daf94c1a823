"""One socket of a connection, from the requests that precede it to its end."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Sequence
from types import MappingProxyType

from virtufin_examples.connections._clock import Timer
from virtufin_examples.connections._context import Context
from virtufin_examples.connections._effects import Effects
from virtufin_examples.connections._ending import Ending, refused_ending, socket_ending
from virtufin_examples.connections._epoch_host import EpochHost, Sockets
from virtufin_examples.connections._grants import Grants
from virtufin_examples.connections._handshake import HandshakeMessage
from virtufin_examples.connections._healing import Watch, renewal_seconds
from virtufin_examples.connections._link import Link
from virtufin_examples.connections._outbox import Outbox
from virtufin_examples.connections._signal import Signal
from virtufin_examples.connections._socket import SocketConnectError, UpgradeRefusedError
from virtufin_examples.connections._watchdog import LinkState, LinkWatch
from virtufin_examples.errors import ConflictError, VirtufinError
from virtufin_examples.venues import (
    Acknowledged,
    Arbiter,
    Authenticated,
    Backfilled,
    Disposition,
    Effect,
    Leaving,
    Outgoing,
    Refused,
    Seen,
    Session,
    Verdict,
    one_message,
)

TICK_SECONDS = 1.0
NORMAL_CLOSURE = 1000
GOING_AWAY = 1001
_MAX_LOGIN_ROUNDS = 10
_HEADERS = MappingProxyType({"User-Agent": "virtufin-examples"})


class Epoch:
    """Lives once: `run` ends with why the socket is gone. A `LinkOwner`."""

    def __init__(
        self, host: EpochHost, context: Context, session: Session, sockets: Sockets, grants: Grants
    ) -> None:
        self.session = session
        self.link: Link | None = None
        self.number = 0
        self.is_up = False
        self.is_live = False
        self.missing: tuple[str, ...] = ()
        self.up = Signal()
        self._host = host
        self._context = context
        self._sockets = sockets
        self._grants = grants
        self._outbox = Outbox(context)
        self._effects = Effects(self, context, session, self._outbox)
        self._watch = LinkWatch(context.healing.ping_seconds)
        self._refusal: Ending | None = None
        self._answered = False
        self._next_tick: Timer | None = None
        self._renew_at: float | None = None
        self._unanswered_until: float | None = None
        self.is_paused = False
        self.up_at = 0.0
        self._failed_calls: set[str] = set()
        self._is_replaying = False
        self._is_all_sent = False
        self._later: list[tuple[HandshakeMessage, bool]] = []

    # --- life ---

    async def run(self) -> Ending:
        """Live from the requests over HTTP to the end of the socket."""
        try:
            return await self._prepare() or await self._connect()
        except ConflictError as error:
            return Ending(str(error), "RecordLost", permanent=True)
        except VirtufinError as error:
            return Ending(str(error), type(error).__name__)
        finally:
            self._effects.cancel()
            if self._next_tick is not None:
                self._next_tick.cancel()
            if self.link is not None:
                self.link.close(GOING_AWAY, "")

    def end(self, ending: Ending, code: int = NORMAL_CLOSURE) -> None:
        """Close the socket for a reason of ours."""
        if self._refusal is None:
            self._refusal = ending
        if self.link is not None:
            self.link.close(code, "")

    async def send(self, message: HandshakeMessage, *, lasting: bool) -> None:
        """Send a message within the venue's message budget."""
        await self._outbox.send(message, lasting=lasting)
        self._expect_answer(message.payload)

    def follow(self, message: HandshakeMessage, *, lasting: bool) -> None:
        """Send what the other sockets were sent while this one's handshake is under way, right after it."""
        if self._is_replaying:
            self._later.append((message, lasting))

    def pause(self, *, paused: bool) -> None:
        """Read nothing from the socket, or read again."""
        self.is_paused = paused
        if self.link is not None:
            (self.link.pause_reading if paused else self.link.resume_reading)()

    def takes_over(self, old: Epoch) -> None:
        """Go on with what the connector still had to do on an old socket."""
        try:
            self.session.takes_over(old.session)
        except Exception as error:  # noqa: BLE001 - a plugin: its fault must not end the socket
            self.noted("ConnectorFailed", f"takes_over: {error!r}")

    def share(self, arbiter: Arbiter | None) -> None:
        """Let an arbiter decide what passes; None: everything does."""
        if self.link is not None:
            self.link.arbiter = arbiter

    def peek(self, payload: bytes) -> Sequence[Seen]:
        """Find the symbols of a frame; where the connector fails there are none, which is said once."""
        try:
            return self.session.peek(payload)
        except Exception as error:  # noqa: BLE001 - a plugin: its fault must not stop the frames
            self._failed("peek", error)
            return ()

    def messages(self, payload: bytes) -> Sequence[bytes]:
        """Find the messages of a frame; where the connector fails it is one, which is said once."""
        try:
            return self.session.messages(payload)
        except Exception as error:  # noqa: BLE001 - a plugin: its fault must not stop the frames
            self._failed("messages", error)
            return one_message(payload)

    def _failed(self, call: str, error: Exception) -> None:
        if call not in self._failed_calls:
            self._failed_calls.add(call)
            self.noted("ConnectorFailed", f"{call}: {error!r}")

    # --- a link's owner ---

    def judged(self, verdict: Verdict) -> None:
        """Do what the venue's words ask for."""
        match verdict:
            case Refused():
                self._refused(verdict)
            case Leaving():
                self._host.wants_successor(self, verdict.reason)
            case Outgoing():
                self._effects.perform([verdict])
            case Acknowledged():
                self.missing = verdict.missing
                self._answered = True
                if verdict.missing:
                    self.noted("SymbolsMissing", f"the venue left out {', '.join(verdict.missing)}")
            case Authenticated():
                self._answered = True
            case Backfilled():
                self._backfill(verdict)
        self._look_whether_live()

    def noted(self, error_type: str, reason: str) -> None:
        """Pass it on."""
        self._host.noted(error_type, reason)

    def low(self) -> None:
        """Pass it on."""
        self._host.low()

    def flows(self, received_ns: int) -> None:
        """Pass it on, with what is known of the handshake."""
        answered = self._is_all_sent and not self.session.expects()
        self._host.data_flows(self, received_ns, answered=answered)

    # --- before and at the socket ---

    async def _prepare(self) -> Ending | None:
        for _ in range(_MAX_LOGIN_ROUNDS):
            requests = self.session.before_connect(self._context.clock.now_ns())
            if not requests:
                return self._refusal
            for request in requests:
                await self._effects.request(request)
                if self._refusal is not None:
                    return self._refusal
        return Ending(
            f"the connector still asks for requests after {_MAX_LOGIN_ROUNDS} rounds", "LoginFailed"
        )

    async def _connect(self) -> Ending:
        context, host = self._context, self._host
        clock = context.clock
        wait = context.scope.connect_wait(clock.monotonic())
        if wait > 0:
            if not host.waiting(wait):
                return Ending(f"no connect is left in the venue's budget for {wait:.0f} s", "ConnectBudget")
            await clock.sleep(wait)
        try:
            grant = await self._grants.take()
        except ConflictError:
            raise
        except VirtufinError as error:
            return Ending(f"no epoch could be taken: {error}", type(error).__name__)
        self.number = grant.epoch
        link = Link(
            context.stream,
            self.session,
            self,
            epoch=grant.epoch,
            clock=clock,
            continuity=self._sockets.continuity,
            samples=context.healing.watch is Watch.SAMPLE and type(self.session).peek is not Session.peek,
        )
        self.session.opened()
        self._is_all_sent = not host.handshake
        self.link = self._outbox.link = link
        self._sockets.join(self, link)
        try:
            target = await context.target(self.session.target(clock.now_ns()))
            await context.network.connect(target.url, {**_HEADERS, **target.headers}, link)
        except UpgradeRefusedError as error:
            self._grants.give_back(grant)
            refused = context.spec.connector.upgrade_refused(error.status, error.headers)
            if refused.disposition is Disposition.WAIT:
                context.scope.block(clock.monotonic(), refused.wait_seconds)
            return refused_ending(refused)
        except (SocketConnectError, VirtufinError) as error:
            self._grants.give_back(grant)
            return Ending(str(error), type(error).__name__)
        self.up_at = clock.monotonic()
        host.opened(self)
        return await self._serve(link)

    async def _serve(self, link: Link) -> Ending:
        clock = self._context.clock
        failure = await self._replay(link)
        if failure is not None:
            return failure
        if not link.ended.done():
            renew = renewal_seconds(
                self._context.healing, self._context.limits, clock.now_ns(), self._context.randomness()
            )
            self._renew_at = None if renew is None else clock.monotonic() + renew
            self.is_up = True
            self._host.went_up(self, len(self._host.handshake))
            self.up.set()
            self._look_whether_live()
            self._tick_later(link)
        end = await link.ended
        return self._refusal or socket_ending(end)

    async def _replay(self, link: Link) -> Ending | None:
        """Send the handshake, part after part, waiting for the venue's answer to each."""
        failure: Ending | None = None
        parts = deque((message, True) for message in self._host.handshake)
        self._is_replaying = True
        while parts or self._later:
            message, lasting = parts.popleft() if parts else self._later.pop(0)
            seconds = self.session.answer_seconds(message.payload)
            try:
                await self.send(message, lasting=lasting)
            except VirtufinError as error:
                failure = Ending(f"handshake: {error}", type(error).__name__)
            else:
                self._is_all_sent = not (parts or self._later)
                if not await link.answered(seconds):
                    failure = Ending(f"no answer to the handshake within {seconds:g} s", "NoAnswer")
            if failure is not None or self._refusal is not None or link.ended.done():
                break
        self._is_replaying = False
        if self._refusal is not None:
            return self._refusal
        return socket_ending(link.ended.result()) if link.ended.done() else failure

    # --- while it lives ---

    def _tick_later(self, link: Link) -> None:
        self._next_tick = self._context.clock.call_later(TICK_SECONDS, functools.partial(self._tick_on, link))

    def _tick_on(self, link: Link) -> None:
        if link.ended.done():
            return
        try:
            self._tick(link, self._context.clock.monotonic())
        except VirtufinError as error:
            self.noted(type(error).__name__, str(error))
        self._tick_later(link)

    def _tick(self, link: Link, now: float) -> None:
        match self._watch.tick(now, None if self.is_paused else link.signs_of_life):
            case LinkState.PING:
                link.ping()
            case LinkState.DEAD:
                self.end(Ending("the link is dead: neither frame nor pong", "HalfOpen"), GOING_AWAY)
                return
            case LinkState.FINE:
                pass
        self._look_whether_live()
        self._check_answers(now)
        if self._renew_at is not None and now >= self._renew_at:
            self._renew_at = None
            self._host.wants_successor(self, "its time is up")
        self._effects.perform(self._asked_for(self.session.tick, "tick"))
        self._host.ticked(self)

    def _look_whether_live(self) -> None:
        if self.is_live or not self.is_up or self.link is None or self.session.expects():
            return
        if self.session.reads_answers and not self._answered and self.link.frames == self.link.controls:
            return
        self.is_live = True
        self._unanswered_until = None
        self._host.went_live(self)
        self._effects.perform(self._asked_for(self.session.live, "live"))

    def _asked_for(self, ask: Callable[[int], Sequence[Effect]], what: str) -> Sequence[Effect]:
        try:
            return ask(self._context.clock.now_ns())
        except Exception as error:  # noqa: BLE001 - a plugin: its fault must not end the watch
            self.noted("ConnectorFailed", f"{what}: {error!r}")
            return ()

    def _expect_answer(self, payload: bytes) -> None:
        if self.session.expects() and self._unanswered_until is None:
            until = self._context.clock.monotonic() + self.session.answer_seconds(payload)
            self._unanswered_until = until

    def _check_answers(self, now: float) -> None:
        """Say, once, that the venue has not answered what was sent on a socket that is up."""
        if not self.session.expects():
            self._unanswered_until = None
        elif self._unanswered_until is not None and now >= self._unanswered_until:
            self._unanswered_until = float("inf")
            self.noted("NoAnswer", f"{self.session.expects()} messages are unanswered")

    def _refused(self, refused: Refused) -> None:
        if refused.disposition is Disposition.NOTE:
            self._answered = True
            self.noted("VenueError", refused.reason)
            self._host.handshake_changed()
            return
        self.end(refused_ending(refused))

    def _backfill(self, found: Backfilled) -> None:
        link, stream = self.link, self._context.stream
        if link is not None and found.payloads:
            now_ns = self._context.clock.now_ns()
            stream.backfill(found.payloads, now_ns, epoch=self.number, simulated=link.simulated)
