"""The back ends by name. They can be exchanged while calls are in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.gateway._backend import Backend
from virtufin_examples.gateway._breaker import CircuitBreaker
from virtufin_examples.gateway._entry import ServiceEntry
from virtufin_examples.gateway._nearest import nearest_hint


class Registry:
    """The configured back ends. One whose entry does not change keeps its connection and breaker.

    `retire_seconds` is how long calls in flight to a removed back end may last.
    """

    def __init__(
        self,
        *,
        api_key: str,
        breaker_threshold: int,
        breaker_duration_seconds: float,
        retire_seconds: float,
    ) -> None:
        self._api_key = api_key
        self._threshold = breaker_threshold
        self._duration = breaker_duration_seconds
        self._retire_seconds = retire_seconds
        self._backends: dict[str, Backend] = {}
        self._own: Backend | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def backends(self) -> tuple[Backend, ...]:
        """All of them, in the order of the configuration."""
        return tuple(self._backends.values())

    def replace(self, entries: Sequence[ServiceEntry]) -> None:
        """Take these back ends in place of the present ones."""
        before = self._backends
        self._backends = {}
        for entry in entries:
            kept = before.get(entry.name)
            if kept is None or kept.entry != entry:
                kept = self._backend(entry)
            self._backends[entry.name] = kept
        for name, backend in before.items():
            if self._backends.get(name) is not backend:
                self._retire(backend)

    def set_own(self, entry: ServiceEntry) -> None:
        """Make the gateway's own methods callable under `entry.name`, unless a back end has that name.

        Workers have no other way to publish or to keep state. It is not listed: it is not behind the gateway.
        """
        self._own = self._backend(entry)

    def find(self, name: str) -> Backend:
        """Return the back end of that exact name; raises `InvalidInputError` with the nearest names."""
        backend = self._backends.get(name)
        if backend is None and self._own is not None and name == self._own.entry.name:
            backend = self._own
        if backend is None:
            raise InvalidInputError(
                f"service is {name!r}: there is none of that name",
                hint=nearest_hint(name, self._backends, "services"),
            )
        return backend

    async def close(self) -> None:
        """Close all connections."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        for backend in (*self.backends, *([self._own] if self._own else ())):
            await backend.close()
        self._backends = {}
        self._own = None

    def _backend(self, entry: ServiceEntry) -> Backend:
        breaker = CircuitBreaker(threshold=self._threshold, duration_seconds=self._duration)
        return Backend(entry, api_key=self._api_key, breaker=breaker)

    def _retire(self, backend: Backend) -> None:
        if backend.is_connected:
            task = asyncio.create_task(
                backend.close(self._retire_seconds), name=f"retire-{backend.entry.name}"
            )
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
