"""A connection with what the service knows about it: owner, lease, tags, record, topic."""

from __future__ import annotations

import asyncio

from virtufin_examples.connections import Connection, ConnectionEvent, HandshakeMessage, Observer
from virtufin_examples.frames import ConnectionBeat
from virtufin_examples.websocketmanager._publisher import TopicPublisher
from virtufin_examples.websocketmanager._records import (
    HandshakeEntry,
    Progress,
    PublishRecord,
    RecordKeeper,
)
from virtufin_examples.websocketmanager.spool import Mark


class ManagedConnection:
    """One entry of the manager's table; a publisher's `Source`."""

    def __init__(self, connection: Connection, keeper: RecordKeeper, observer: Observer) -> None:
        self.connection = connection
        self.keeper = keeper
        self.publisher: TopicPublisher | None = None
        self.changing_topic = asyncio.Lock()
        self.lease_until = 0.0
        self._observer = observer
        self._settled = Mark(keeper.record.last_sequence, keeper.record.last_received_ns)
        keeper.progress = self._progress
        connection.on_handshake = self._write_handshake

    @property
    def id(self) -> str:
        """The connection's id."""
        return self.connection.spec.id

    @property
    def owner(self) -> str:
        """The worker that opened it, or nothing."""
        return self.keeper.record.owner

    @property
    def lease_seconds(self) -> int:
        """How long it lives without a renewal; 0 for ever."""
        return self.keeper.record.lease_seconds

    @property
    def tags(self) -> dict[str, str]:
        """Its tags; not to be changed in place."""
        return self.keeper.record.tags

    async def send(self, message: HandshakeMessage, *, replay: bool | None) -> None:
        """Send a message; the handshake is written down where it has changed."""
        await self.connection.send(message, replay=replay)

    def _write_handshake(self) -> None:
        written = _written(self.connection)
        if (
            written != self.keeper.record.handshake
            or self.connection.restorable != self.keeper.record.restorable
        ):
            self.keeper.update(handshake=written, restorable=self.connection.restorable)

    def publish_to(self, publisher: TopicPublisher) -> None:
        """Hand the stream to a publisher."""
        options = publisher.options
        publisher.attach(self)
        self.publisher = publisher
        self.connection.publish_to(publisher)
        self.keeper.update(
            publish=PublishRecord(publisher.topic, options.encoding, options.overflow, options.markers)
        )

    def unpublish(self) -> TopicPublisher | None:
        """Forget the publisher and return it; how far it came is kept."""
        publisher, self._settled = self.publisher, self.settled
        self.publisher = None
        return publisher

    # --- a publisher's source ---

    @property
    def settled(self) -> Mark:
        """How far its stream is published or on disk: what follows would be lost with the process."""
        return self.publisher.settled(self.id) if self.publisher is not None else self._settled

    async def confirm(self) -> None:
        """Make sure that the record is still this process's."""
        await self.keeper.confirm()

    def note(self, error_type: str, reason: str) -> None:
        """Report what is wrong with what becomes of its frames."""
        self._observer.connection_changed(
            ConnectionEvent(
                kind="error",
                connection_id=self.id,
                url=self.connection.template,
                epoch=self.connection.epoch,
                owner=self.owner,
                error_type=error_type,
                reason=reason,
            )
        )

    def beat(self, last_sequence: int) -> ConnectionBeat:
        """Return its part of a heartbeat."""
        connection = self.connection
        return ConnectionBeat(
            connection_id=self.id,
            state=connection.state.value,
            epoch=connection.epoch,
            last_sequence=last_sequence,
            last_received_ns=connection.stream.last_received_ns,
            queued_bytes=self.publisher.queued_bytes if self.publisher is not None else 0,
        )

    def pause_reading(self) -> None:
        """Read nothing more from the socket."""
        self.connection.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self.connection.resume_reading()

    def _progress(self) -> Progress:
        return Progress(self.connection.stream.last_sequence, self.settled)


def _written(connection: Connection) -> tuple[HandshakeEntry, ...]:
    """Return what may be written down: nothing as soon as one message went verbatim, it could hold a key."""
    if not connection.restorable:
        return ()
    return tuple(HandshakeEntry(message.payload.decode(), message.json) for message in connection.handshake)
