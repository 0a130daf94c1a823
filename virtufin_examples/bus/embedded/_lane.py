"""The runtime's end of the lane (`bus/_lane.py`)."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Coroutine

import msgspec
import structlog
from dapr.proto.runtime.v1 import pubsub_pb2
from google.protobuf.message import DecodeError

from virtufin_examples.bus import _lane as wire
from virtufin_examples.bus._port import Ack
from virtufin_examples.bus.embedded._callers import APP_ID_METADATA, TOKEN_METADATA, Callers
from virtufin_examples.bus.embedded._publication import Publication
from virtufin_examples.bus.embedded._pubsub import PubsubService
from virtufin_examples.bus.embedded._stream import end_error
from virtufin_examples.bus.embedded._subscription import Subscription
from virtufin_examples.errors import VirtufinError

HELD_BYTES = 32 * 1024 * 1024
"""Of publications that wait for room; with more, nothing is read from their sender."""

STOP_SECONDS = 1.0
"""For what was written to leave."""

_WRITE_BYTES = 256 * 1024
_ACKS = {ack.value: ack for ack in Ack}
_Waiting = tuple[int, Publication, int]  # number, what is published, bytes
_log = structlog.get_logger(__name__)


class LaneServer:
    """Listens on a free port of the loopback interface."""

    def __init__(self, callers: Callers, pubsub: PubsubService) -> None:
        self._callers = callers
        self._pubsub = pubsub
        self._key = secrets.token_hex(16)
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._deliveries = _Deliveries()

    async def start(self, grpc_port: int) -> str:
        """Listen; return what the metadata of a runtime with this port for gRPC are to say."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, wire.LANE_HOST, 0)
        return f"{self._server.sockets[0].getsockname()[1]}/{self._key}/{grpc_port}"

    async def stop(self) -> None:
        """Take no more and end what there is."""
        if self._server is not None:
            self._server.close()
        ended = [asyncio.ensure_future(each.ended.wait()) for each in self._connections]
        for connection in tuple(self._connections):
            connection.close()
        if ended:
            await asyncio.wait(ended, timeout=STOP_SECONDS)
        for connection in tuple(self._connections):
            connection.abort()

    def _connection(self) -> _Connection:
        return _Connection(self._callers, self._pubsub, self._key, self._connections, self._deliveries)


class _Deliveries:
    """The subscribers that have something to get.

    What one read published goes to them before its publisher is answered: a write to a socket takes 40 us in
    which the other would wait. What anything else brings goes out in the loop's next turn.
    """

    def __init__(self) -> None:
        self._due: dict[_Connection, None] = {}  # each once, in order
        self._waits = False

    def add(self, connection: _Connection) -> None:
        if not self._due and not self._waits:
            asyncio.get_running_loop().call_soon(self.deliver)
        self._due[connection] = None

    def hold(self) -> None:
        self._waits = True

    def deliver(self) -> None:
        self._waits = False
        due, self._due = self._due, {}
        for connection in due:
            connection.deliver()


class _Connection(asyncio.Protocol):
    """One client's connection. What it says in one read is answered by one write."""

    def __init__(
        self,
        callers: Callers,
        pubsub: PubsubService,
        key: str,
        connections: set[_Connection],
        deliveries: _Deliveries,
    ) -> None:
        self._callers = callers
        self._pubsub = pubsub
        self._key = key
        self._connections = connections
        self._deliveries = deliveries
        self._loop = asyncio.get_running_loop()
        self._reader = wire.FrameReader()
        self._transport: asyncio.Transport | None = None
        self.ended = asyncio.Event()
        self._app_id: str | None = None
        self._subscription: Subscription | None = None
        self._out: list[bytes] = []
        self._writing_paused = False
        self._retry: asyncio.TimerHandle | None = None
        self._waiting: dict[str, deque[_Waiting]] = {}
        self._held_bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # --- called by the event loop ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a TCP server
        self._transport = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._deliveries.hold()
        try:
            for kind, number, body in self._reader.feed(data):
                self._take(kind, number, body)
        except (wire.LaneError, DecodeError, msgspec.DecodeError, UnicodeDecodeError) as error:
            _log.warning("lane broken off", error=str(error))
            self._out.clear()
            self.abort()
        finally:
            self._deliveries.deliver()
        self._flush()

    def eof_received(self) -> bool:
        if self._subscription is not None:
            self._subscription.end()
        return False  # close

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self.ended.set()
        self._connections.discard(self)
        for task in self._tasks:
            task.cancel()
        if self._retry is not None:
            self._retry.cancel()
        if self._subscription is not None:
            self._subscription.end()

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._wake()

    def close(self) -> None:
        """End it, after what was written."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()

    # --- inside ---

    def _take(self, kind: int, number: int, body: bytes) -> None:
        if self._app_id is None:
            self._greet(kind, body)
        elif kind == wire.PUBLISH:
            self._publish(number, body, self._app_id)
        elif kind == wire.PUBLISH_BULK:
            request = pubsub_pb2.BulkPublishRequest.FromString(body)
            self._spawn(self._publish_bulk(number, request, self._app_id), "lane-bulk")
        elif kind == wire.ACK and self._subscription is not None:
            # A status that does not exist counts as RETRY, as in daprd.
            self._subscription.answer(body.decode(), _ACKS.get(number, Ack.RETRY))
        elif kind == wire.SUBSCRIBE and self._subscription is None:
            self._subscribe(number, body, self._app_id)
        else:
            raise wire.LaneError(f"a frame of kind {kind} is not expected")

    def _greet(self, kind: int, body: bytes) -> None:
        if kind != wire.HELLO:
            raise wire.LaneError("the first frame is no greeting")
        hello = msgspec.json.decode(body, type=wire.Hello)
        if not secrets.compare_digest(hello.key.encode(), self._key.encode()):
            raise wire.LaneError("the greeting is for another runtime")
        named = ((APP_ID_METADATA, hello.app_id), (TOKEN_METADATA, hello.token))
        try:
            self._app_id = self._callers.identify(named)
        except VirtufinError as error:
            self._refuse(0, error)
            self.close()
        else:
            self._say(wire.WELCOME, 0)

    def _publish(self, number: int, body: bytes, app_id: str) -> None:
        request = pubsub_pb2.PublishEventRequest.FromString(body)
        waiting = self._waiting.get(request.topic)
        try:
            publication = self._pubsub.publication(request, app_id)
            if waiting is None and self._pubsub.publish_at_once(request.topic, publication):
                self._say(wire.DONE, number)
                return
        except Exception as error:  # noqa: BLE001 - the border of the runtime
            self._refuse(number, error)
            return
        if waiting is None:
            waiting = self._waiting[request.topic] = deque()
            self._spawn(self._publish_waiting(request.topic, waiting), "lane-waiting")
        waiting.append((number, publication, len(body)))
        self._held_bytes += len(body)
        if self._held_bytes >= HELD_BYTES and self._transport is not None:
            self._transport.pause_reading()

    async def _publish_waiting(self, topic: str, waiting: deque[_Waiting]) -> None:
        """Publish in their order what waits for room, and what came behind it."""
        while waiting:
            number, publication, size = waiting[0]
            try:
                await self._pubsub.publish_with_room(topic, publication)
            except Exception as error:  # noqa: BLE001 - the border of the runtime
                self._refuse(number, error)
            else:
                self._say(wire.DONE, number)
            waiting.popleft()
            self._held_bytes -= size
            if self._held_bytes < HELD_BYTES and self._transport is not None:
                self._transport.resume_reading()
            self._flush()
        del self._waiting[topic]

    async def _publish_bulk(self, number: int, request: pubsub_pb2.BulkPublishRequest, app_id: str) -> None:
        try:
            response = await self._pubsub.bulk_publish(request, app_id)
        except Exception as error:  # noqa: BLE001 - the border of the runtime
            self._refuse(number, error)
        else:
            self._say(wire.DONE, number, response.SerializeToString())
        self._flush()

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _subscribe(self, number: int, body: bytes, app_id: str) -> None:
        request = pubsub_pb2.SubscribeTopicEventsRequestAlpha1.FromString(body)
        try:
            initial = request.initial_request if request.HasField("initial_request") else None
            options = self._pubsub.options(initial, app_id)
        except VirtufinError as error:
            self._refuse(number, error)
            return
        self._say(wire.WELCOME, number)
        self._subscription = self._pubsub.broker.subscribe(options, self._wake)

    def _wake(self) -> None:
        """Deliver soon: what came together goes out in one write."""
        self._deliveries.add(self)

    def deliver(self) -> None:
        """Write what the subscription has."""
        subscription = self._subscription
        if subscription is None or self._transport is None or self._transport.is_closing():
            return
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        size = 0
        while not self._writing_paused and (message := subscription.take()) is not None:
            self._say(wire.EVENT, 0, message.frame)
            size += len(message.frame)
            if size >= _WRITE_BYTES:
                size = 0
                self._flush()
        self._flush()
        error = end_error(subscription)
        if error is not None:
            self._refuse(0, error)
            self.close()
            return
        due = subscription.next_retry_at()
        if due is not None:
            self._retry = self._loop.call_at(due, self._wake)

    def _refuse(self, number: int, error: Exception) -> None:
        if isinstance(error, VirtufinError):
            problem = wire.Problem(error.code, str(error))
        else:
            _log.error("call failed", method="lane", error=repr(error), exc_info=error)
            problem = wire.Problem("INTERNAL", f"internal error ({type(error).__name__})")
        self._say(wire.PROBLEM, number, msgspec.json.encode(problem))

    def _say(self, kind: int, number: int, body: bytes = b"") -> None:
        self._out.append(wire.lane_header(kind, number, len(body)))
        if body:
            self._out.append(body)

    def _flush(self) -> None:
        if self._out:
            out, self._out = self._out, []
            if self._transport is not None:
                self._transport.write(b"".join(out))
