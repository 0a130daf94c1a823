"""The engine port: what runs workers of one MIME type inside a host process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class GatewayPort(Protocol):
    """What a worker is handed to call services through the API gateway."""

    def invoke(self, service: str, method: str, request_json: str) -> str:
        """Return the response as JSON; raises `RuntimeError("<STATUS>: <message>")` when the call failed."""


class LoadedWorker(Protocol):
    """A worker that is ready for events. Called from one thread, one event at a time."""

    @property
    def runtime(self) -> str:
        """The runtime in words, for `WorkerInfo.runtime`."""

    def process(self, event: bytes) -> bytes | None:
        """Handle a CloudEvent as JSON; the answer is one too, or None. An exception is its failure."""


class Engine(Protocol):
    """A plugin (entry point group `virtufin.engines`, named by its MIME type)."""

    mime_type: str
    language: str

    def unavailable(self, environ: Mapping[str, str]) -> str:
        """Say why workers of this type cannot run on this machine and what to do; empty: they can.

        Called in the WorkManager: cheap, loads no runtime.
        """

    def environment(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """Return variables that the host process needs before its interpreter starts."""

    def abort_hint(self, environ: Mapping[str, str]) -> str:
        """Say what may help when a host process aborts; empty: nothing known."""

    def load(self, code: bytes, *, worker_id: str, topic: str, gateway: GatewayPort) -> LoadedWorker:
        """Load the code and start the worker, in the host process; `WorkerError` says why it cannot."""
