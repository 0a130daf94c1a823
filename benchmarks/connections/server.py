"""A venue of many sockets: quiet until told to send.

`python -m benchmarks.connections.server` prints its port. For each line `FRAMES WRITE_BYTES` on stdin it
spreads so many frames of 150 bytes evenly over all sockets, so many bytes a write. It ends with stdin.
"""

from __future__ import annotations

import asyncio
import sys

from benchmarks.throughput.sender import text_frame, upgrade_answer
from virtufin_examples.service import allow_many_files

FRAME_BYTES = 150
_PING = 0x89
_PONG = b"\x8a\x00"
_MAX_UNSENT_BYTES = 256 * 1024


class _Peer(asyncio.Protocol):
    def __init__(self, peers: set[asyncio.Transport]) -> None:
        self._peers = peers
        self._request = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None:
            return
        if transport in self._peers:
            if data[0] == _PING:
                transport.write(_PONG)
            return
        self._request += data
        if b"\r\n\r\n" not in self._request:
            return
        transport.write(upgrade_answer(self._request))
        self._peers.add(transport)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._transport is not None:
            self._peers.discard(self._transport)


async def _send(peers: set[asyncio.Transport], frames: int, write_bytes: int) -> None:
    one = text_frame(FRAME_BYTES)
    a_write = max(1, write_bytes // len(one))
    left = dict.fromkeys(peers, frames // len(peers))
    for peer in list(left)[: frames % len(peers)]:
        left[peer] += 1
    chunk = one * a_write
    while left:
        for peer, count in tuple(left.items()):
            if peer.get_write_buffer_size() > _MAX_UNSENT_BYTES:
                continue
            peer.write(chunk if count >= a_write else one * count)
            left[peer] = count - a_write
            if left[peer] <= 0:
                del left[peer]
        await asyncio.sleep(0)


async def main() -> None:
    """Serve until stdin closes."""
    allow_many_files()
    loop = asyncio.get_running_loop()
    peers: set[asyncio.Transport] = set()
    server = await loop.create_server(lambda: _Peer(peers), "127.0.0.1", 0, backlog=8192)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        frames, write_bytes = map(int, line.split())
        await _send(peers, frames, write_bytes)


if __name__ == "__main__":
    asyncio.run(main())
