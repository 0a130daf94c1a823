"""The targets of the suite: what a program may find behind Dapr's API."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.dapr import brokers
from tests.dapr.sidecars import AppPort, Resources, Sidecar, daprd, embedded, started


class Target(enum.StrEnum):
    EMBEDDED = "embedded"
    IN_MEMORY = "in-memory"
    REDIS = "redis"
    JETSTREAM = "jetstream"
    KAFKA = "kafka"
    STRICT = "strict"
    """The embedded runtime with `--strict`, which answers what daprd does in memory: no column of its own."""


APP = "conformance"
"""The app id of most tests, and of the one embedded runtime that serves them all."""
PUBSUBS = (Target.EMBEDDED, Target.IN_MEMORY, Target.REDIS, Target.JETSTREAM, Target.KAFKA)
_EMBEDDED = (Target.EMBEDDED, Target.STRICT)
STATES = (Target.EMBEDDED, Target.IN_MEMORY, Target.REDIS)
LOCKS = (Target.EMBEDDED, Target.REDIS)

_RESILIENCY = "resiliency.yaml"
_FILES = {
    Target.IN_MEMORY: ("in-memory/pubsub.yaml", "in-memory/statestore.yaml"),
    Target.REDIS: ("redis/pubsub.yaml", "redis/statestore.yaml", "redis/lockstore.yaml"),
    Target.JETSTREAM: ("jetstream/pubsub.yaml", "in-memory/statestore.yaml"),
    Target.KAFKA: ("kafka/pubsub.yaml", "in-memory/statestore.yaml"),
}
_ADDRESSES = {
    Target.REDIS: "localhost:6379",
    Target.JETSTREAM: "localhost:4222",
    Target.KAFKA: "localhost:9092",
}
_BROKERS: dict[Target, Callable[[Path], AbstractContextManager[str]]] = {
    Target.REDIS: brokers.redis,
    Target.JETSTREAM: brokers.nats,
    Target.KAFKA: brokers.kafka,
}


@dataclass
class Platform:
    """One target, running: its broker, and sidecars by app id as they are asked for."""

    target: Target
    folder: Path
    address: str
    stack: ExitStack
    _sidecars: dict[str, Sidecar] = field(default_factory=dict)
    _made: int = 0

    def sidecar(self, app_id: str) -> Sidecar:
        """Return the running sidecar of an app id. The embedded runtime is one for all of them."""
        name = APP if self.target in _EMBEDDED else app_id
        if name not in self._sidecars:
            self._sidecars[name] = self.stack.enter_context(started(self.make(name)))
        return self._sidecars[name]

    def make(
        self,
        app_id: str,
        *,
        token: str = "",
        replace: dict[str, str] | None = None,
        app: AppPort | None = None,
    ) -> Sidecar:
        """Return a further sidecar, which is the caller's to start and to end.

        `replace` are settings of the component files that the test needs otherwise.
        """
        self._made += 1
        folder = self.folder / f"{app_id}-{self._made}"
        if self.target in _EMBEDDED:
            return embedded(app_id, folder, token=token, strict=self.target is Target.STRICT, app=app)
        settings = dict(replace or {})
        if self.address:
            settings[_ADDRESSES[self.target]] = self.address
        resources = Resources(folder / "resources", (*_FILES[self.target], _RESILIENCY), settings)
        options = ()
        if app is not None:
            app.write(resources.folder)
            options = app.options
        return daprd(app_id, folder, resources.write(), token=token, options=options)


@contextlib.contextmanager
def platform(target: Target, folder: Path) -> Iterator[Platform]:
    """Run a target for the block."""
    with ExitStack() as stack:
        broker = _BROKERS.get(target)
        address = "" if broker is None else stack.enter_context(broker(folder))
        yield Platform(target, folder, address, stack)
