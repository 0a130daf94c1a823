"""Reading services.json again when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import structlog

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.gateway._entry import ServiceEntry
from virtufin_examples.gateway._services_file import load_services

_log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
"""Asking for the file's times works on every file system, also for a ConfigMap, which is a changing link."""

_Fingerprint: TypeAlias = tuple[int, int, int]


class ServicesWatch:
    """Follows one services.json."""

    def __init__(
        self,
        path: Path,
        apply: Callable[[Sequence[ServiceEntry]], None],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._path = path
        self._apply = apply
        self._sleep = sleep
        self._seen: _Fingerprint | None = None

    def load(self) -> None:
        """Read the file and apply it; raises `InvalidInputError` when it is broken."""
        self._seen = self._fingerprint()
        self._apply(load_services(self._path))

    def poll(self) -> None:
        """Apply the file if it has changed; a broken one is logged once and the back ends stay."""
        now = self._fingerprint()
        if now == self._seen:
            return
        try:
            self.load()
        except InvalidInputError as error:
            self._seen = now
            _log.error("services file refused, the services stay as they are", error=str(error))
        else:
            _log.info("services file read again", file=str(self._path))

    async def run(self) -> None:
        """Poll for ever."""
        while True:
            await self._sleep(POLL_SECONDS)
            self.poll()

    def _fingerprint(self) -> _Fingerprint | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
