"""Frames from a WebSocket by picows, handed on in order; reading stops while too many wait."""

from __future__ import annotations

import asyncio

import picows

_HIGH, _LOW = 20_000, 5_000
"""Frames waiting at which reading stops and goes on: nothing is lost, and memory is bounded."""


class Gather(picows.WSListener):
    """Says "go" when it is connected; `take` what has arrived."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._arrived = asyncio.Event()
        self._transport: picows.WSTransport | None = None
        self._paused = False

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Ask for the frames."""
        self._transport = transport
        transport.send(picows.WSMsgType.TEXT, b"go")

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Keep the payload."""
        self._waiting.append(frame.get_payload_as_bytes())
        self._arrived.set()
        if len(self._waiting) > _HIGH and not self._paused:
            self._paused = True
            transport.underlying_transport.pause_reading()

    async def take(self, limit: int) -> list[bytes]:
        """Return up to so many frames, at least one."""
        await self._arrived.wait()
        taken = self._waiting[:limit]
        del self._waiting[:limit]
        if self._paused and len(self._waiting) < _LOW and self._transport is not None:
            self._paused = False
            self._transport.underlying_transport.resume_reading()
        if not self._waiting:
            self._arrived.clear()
        return taken


async def connected(url: str) -> Gather:
    """Connect."""
    gather = Gather()
    await picows.ws_connect(lambda: gather, url)
    return gather
