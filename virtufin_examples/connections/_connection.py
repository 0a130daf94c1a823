"""One managed upstream WebSocket, named by an id that outlives its sockets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import structlog

from virtufin_examples.connections._backoff import Backoff
from virtufin_examples.connections._clock import Clock
from virtufin_examples.connections._ending import Ending, refused_ending, socket_ending
from virtufin_examples.connections._handshake import Handshake, HandshakeMessage, joins_handshake
from virtufin_examples.connections._link import Link
from virtufin_examples.connections._loss import Loss
from virtufin_examples.connections._secrets import SecretResolver, resolve
from virtufin_examples.connections._sequencer import Grant, Ledger
from virtufin_examples.connections._socket import (
    SocketConnectError,
    SocketNetwork,
    UpgradeRefusedError,
)
from virtufin_examples.connections._state import ConnectionEvent, Observer, State, StateMachine
from virtufin_examples.connections._stream import Outlet, Stream
from virtufin_examples.errors import (
    ConflictError,
    PreconditionError,
    UnavailableError,
    VenueError,
    VirtufinError,
)
from virtufin_examples.frames import Cause
from virtufin_examples.venues import Connector, Disposition, Refused

ANSWER_SECONDS = 10.0
"""How long the venue may take to answer one message of a replayed handshake (Alpaca gives 10 s for auth)."""

NORMAL_CLOSURE = 1000
GOING_AWAY = 1001

_HEADERS = MappingProxyType({"User-Agent": "virtufin-examples"})
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSpec:
    """What was asked for."""

    id: str
    url: str
    auto_reconnect: bool
    connector: Connector
    options: Mapping[str, str]
    owner: str = ""


class Environment(Protocol):
    """What connections live on."""

    @property
    def network(self) -> SocketNetwork: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def secrets(self) -> SecretResolver: ...
    @property
    def observer(self) -> Observer: ...


def url_template(url: str) -> str:
    """Return a URL without user info, query and fragment: the form in which it is shown and written down."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class Connection:
    """Opens sockets one after the other, replays the handshake on each, and numbers what they bring.

    `start` makes the first attempt. With `auto_reconnect` it retries without limit until the venue refuses
    for good; otherwise the end of the socket is the end of the connection. Belongs to one event loop.
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
        self.stream = Stream(spec.id, self.template)
        self.reconnects = 0
        self.reason = ""
        self._network = environment.network
        self._clock = environment.clock
        self._secrets = environment.secrets
        self._observer = environment.observer
        self._ledger = ledger
        self._handshake = Handshake(handshake)
        self._session = spec.connector.session(spec.url, spec.options)
        self._backoff = Backoff(randomness)
        self._machine = StateMachine()
        self._grant: Grant | None = None
        self._epoch = 0
        self._attempt = 1
        self._link: Link | None = None
        self._refusal: Ending | None = None
        self._paused = False
        self._sending = asyncio.Lock()
        self._first: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
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
    def handshake(self) -> tuple[HandshakeMessage, ...]:
        """What is replayed after each connect."""
        return self._handshake.messages

    @property
    def restorable(self) -> bool:
        """Whether it can be opened again after a restart from what may be written down."""
        return self.spec.auto_reconnect and self._handshake.restorable and self.template == self.spec.url

    @property
    def simulated(self) -> bool:
        """Whether a simulator answers."""
        return self._link is not None and self._link.simulated

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
        self._spawn(self._run(), "run")
        await asyncio.shield(self._first)

    async def close(self, *, code: int = NORMAL_CLOSURE, reason: str = "") -> None:
        """End it for good; returns when the socket is gone."""
        link = self._link
        if link is not None:
            link.close(code, reason)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tell_first(UnavailableError(f"connection {self.spec.id} was closed"))
        if link is not None:
            await link.wait_closed()
        if self.state is not State.DISCONNECTED:
            self._move(State.DISCONNECTED, reason=reason)

    def lose(self, reason: str) -> None:
        """Fail because another instance has the record: what comes in is no longer ours to number."""
        if self._link is not None:
            self._refusal = Ending(reason, "RecordLost", permanent=True)
            self._link.close(GOING_AWAY, "")

    # --- messages ---

    async def send(self, message: HandshakeMessage, *, replay: bool | None = None) -> None:
        """Send a message, and remember it where it joins the handshake.

        Raises `PreconditionError` when no socket is open, and what resolving its secrets raises; nothing is
        sent or remembered then.
        """
        async with self._sending:
            link = self._require_link()
            joins = joins_handshake(
                replay, auto_reconnect=self.spec.auto_reconnect, published=self.stream.published_once
            )
            if joins:
                self._handshake.require_room(message)
            await self._send(link, message)
            if joins:
                self._handshake.add(message)

    async def request(self, payload: bytes, *, binary: bool, seconds: float) -> bytes:
        """Send a message and return the answer; see `Link.request`."""
        return await self._require_link().request(payload, binary=binary, seconds=seconds)

    # --- publishing ---

    def publish_to(self, outlet: Outlet) -> None:
        """Hand all frames to the outlet, those held first."""
        self.stream.publish_to(outlet, self._clock.now_ns())

    def unpublish(self, *, hold: bool = False) -> None:
        """Hand no more frames on; see `Stream.unpublish`."""
        self.stream.unpublish(hold=hold)
        self.resume_reading()

    def announce_loss(self, loss: Loss, cause: Cause) -> None:
        """Put a gap for items that the outlet dropped into the stream."""
        self.stream.announce_loss(loss, cause, self._clock.now_ns())

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`, on this socket and the next."""
        self._paused = True
        if self._link is not None:
            self._link.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            if self._link is not None:
                self._link.resume_reading()

    # --- one socket after the other ---

    async def _run(self) -> None:
        try:
            while await self._go_on(await self._one_socket()):
                pass
        except Exception as error:  # noqa: BLE001 - a fault of ours must end in a state that can be seen
            _log.exception("connection failed by a fault of ours", connection_id=self.spec.id)
            if not self._machine.is_over:
                self._move(State.FAILED, reason=f"internal error: {error!r}")
            self._tell_first(VirtufinError(f"connection failed: {error!r}"))

    async def _one_socket(self) -> Ending:
        """Live through one attempt: from the epoch's grant to the end of its socket."""
        self._refusal = None
        try:
            grant = await self._take_epoch()
        except ConflictError as error:
            return Ending(str(error), "RecordLost", permanent=True)
        except VirtufinError as error:
            return Ending(f"no epoch could be taken: {error}", type(error).__name__)
        link = Link(
            self.stream,
            self._session,
            epoch=grant.epoch,
            clock=self._clock,
            on_refused=self._on_refused,
            on_note=self._on_note,
            on_low=self._on_low,
        )
        self._session.opened()
        try:
            target = self._session.target(self._clock.now_ns())
            await self._network.connect(target.url, {**_HEADERS, **target.headers}, link)
        except UpgradeRefusedError as error:
            return refused_ending(self.spec.connector.upgrade_refused(error.status, error.headers))
        except SocketConnectError as error:
            return Ending(str(error), type(error).__name__)
        try:
            return await self._serve(grant, link)
        finally:
            link.close(GOING_AWAY, "")

    async def _take_epoch(self) -> Grant:
        """Take an epoch before the socket opens; one whose socket never opened is used again."""
        if self._grant is not None:
            await self._ledger.confirm()
            return self._grant
        self._grant = await self._ledger.begin_epoch()
        self.stream.grant(self._grant, self._clock.now_ns())
        return self._grant

    async def _serve(self, grant: Grant, link: Link) -> Ending:
        self._grant = None
        self._epoch = grant.epoch
        self._link = link
        opened_at = self._clock.monotonic()
        failure = await self._replay(link)
        if failure is not None:
            return failure
        if not link.ended.done():
            if self._machine.state is State.RECONNECTING and self._epoch > 1:
                self.reconnects += 1
            self._move(State.CONNECTED, replayed=len(self.handshake))
            self._attempt = 1
            self._tell_first(None)
        if self._paused:  # only now: the answers to the handshake had to be read
            link.pause_reading()
        end = await link.ended
        self._backoff.lived(self._clock.monotonic() - opened_at)
        return self._refusal or socket_ending(end)

    async def _replay(self, link: Link) -> Ending | None:
        """Send the handshake, waiting for the venue's answer to each message of it."""
        failure: Ending | None = None
        for message in self.handshake:
            try:
                async with self._sending:
                    await self._send(link, message)
            except VirtufinError as error:
                failure = Ending(f"handshake: {error}", type(error).__name__)
            else:
                if not await link.answered(ANSWER_SECONDS):
                    failure = Ending(f"no answer to the handshake within {ANSWER_SECONDS:g} s", "NoAnswer")
            if failure is not None or self._refusal is not None or link.ended.done():
                break
        if self._refusal is not None:
            return self._refusal
        return socket_ending(link.ended.result()) if link.ended.done() else failure

    async def _go_on(self, ending: Ending) -> bool:
        """Settle what an ending means; wait and return True when another socket is to be opened."""
        self._link = None
        retry = self.spec.auto_reconnect and not ending.permanent
        self.stream.broke(ending.cause)
        if self.state is not State.CONNECTED:
            self._attempt += 1
        if ending.error_type:
            self._on_note(ending.error_type, ending.reason)
        if not retry:
            self._finish(ending)
            return False
        if self._attempt > 1:
            self.stream.stays_broken(self._epoch, self._clock.now_ns())
        self._move(State.RECONNECTING, reason=ending.reason, attempt=self._attempt)
        self._tell_first(None)
        await self._clock.sleep(self._backoff.next_seconds(ending.wait_seconds))
        return True

    def _finish(self, ending: Ending) -> None:
        self.stream.stays_broken(self._epoch, self._clock.now_ns())
        failed = ending.permanent or self.state is State.CONNECTING
        self._move(State.FAILED if failed else State.DISCONNECTED, reason=ending.reason)
        self._tell_first(
            VenueError(ending.reason) if ending.permanent else UnavailableError(ending.reason or "closed")
        )

    # --- inside ---

    async def _send(self, link: Link, message: HandshakeMessage) -> None:
        payload = message.payload
        if message.secrets:
            payload = await resolve(payload, url=self.spec.url, as_json=message.json, resolver=self._secrets)
        link.send(payload, binary=message.binary, noted=message.payload)

    def _require_link(self) -> Link:
        link = self._link
        if link is None or self.state is not State.CONNECTED or link.ended.done():
            raise PreconditionError(
                f"connection {self.spec.id} is {self.state}"
                + (f": {self.reason}" if self.reason else ", not connected")
            )
        return link

    def _on_refused(self, link: Link, refused: Refused) -> None:
        if refused.disposition is Disposition.NOTE:
            self._on_note("VenueError", refused.reason)
            return
        if link is self._link or self._link is None:
            self._refusal = refused_ending(refused)
        link.close(NORMAL_CLOSURE, "")

    def _on_note(self, error_type: str, reason: str) -> None:
        self._emit("error", error_type=error_type, reason=reason)

    def _on_low(self) -> None:
        if not self._extending:
            self._extending = True
            self._spawn(self._extend(), "extend")

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
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _retrieved(first: asyncio.Future[None]) -> None:
    """Look at the outcome, which nobody else does when the caller of `start` has gone."""
    if not first.cancelled():
        first.exception()
