"""A picows server driven by a test frame by frame, with the interface of `MemoryServer` and `MemoryPeer`."""

from __future__ import annotations

import asyncio
from collections import deque

from picows import (
    WSCloseCode,
    WSListener,
    WSMsgType,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from virtufin_examples.connections import UpgradeRefusedError


class PicowsServer:
    """Listens on a free port of 127.0.0.1; `answers` as in `MemoryServer`."""

    def __init__(self, response_headers=None) -> None:
        self.response_headers = dict(response_headers or {})
        self.answers: deque[UpgradeRefusedError | None] = deque()
        self.peers: list[PicowsPeer] = []
        self._arrived: asyncio.Queue[PicowsPeer] = asyncio.Queue()
        self._server = None

    async def start(self) -> PicowsServer:
        self._server = await ws_create_server(self._upgrade, "127.0.0.1", 0)
        return self

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/feed"

    def _upgrade(self, request):
        refusal = self.answers.popleft() if self.answers else None
        if refusal is not None:
            response = WSUpgradeResponse.create_error_response(
                refusal.status, b"no", extra_headers=refusal.headers
            )
            return WSUpgradeResponseWithListener(response, None)
        peer = PicowsPeer(dict(request.headers), self._arrived)
        self.peers.append(peer)
        response = WSUpgradeResponse.create_101_response(extra_headers=self.response_headers)
        return WSUpgradeResponseWithListener(response, peer)

    async def accept(self) -> PicowsPeer:
        return await asyncio.wait_for(self._arrived.get(), 5)

    async def stop(self) -> None:
        for peer in self.peers:
            peer.cut()
        self._server.close()
        await self._server.wait_closed()


class PicowsPeer(WSListener):
    def __init__(self, request_headers, arrived) -> None:
        self.request_headers = {name.lower(): value for name, value in request_headers.items()}
        self.closed: tuple[int, str] | None = None
        self.gone = asyncio.Event()
        self._arrived = arrived
        self._received: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()

    def on_ws_connected(self, transport) -> None:
        self.transport = transport
        self._arrived.put_nowait(self)

    def on_ws_frame(self, transport, frame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self.closed = (int(frame.get_close_code()), frame.get_close_reason() or "")
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            self._received.put_nowait((frame.get_payload_as_bytes(), frame.msg_type == WSMsgType.BINARY))

    def on_ws_disconnected(self, transport) -> None:
        self.gone.set()

    async def receive(self):
        return await asyncio.wait_for(self._received.get(), 5)

    def waiting(self) -> int:
        return self._received.qsize()

    def send_text(self, text: str) -> None:
        self.send_frame(1, text.encode())

    def send_binary(self, payload: bytes) -> None:
        self.send_frame(2, payload)

    def send_frame(self, opcode: int, payload: bytes, *, final: bool = True, reserved: bool = False) -> None:
        first = opcode | (0x80 if final else 0) | (0x40 if reserved else 0)
        size = len(payload)
        if size < 126:
            head = bytes((first, size))
        elif size < 65536:
            head = bytes((first, 126)) + size.to_bytes(2, "big")
        else:
            head = bytes((first, 127)) + size.to_bytes(8, "big")
        self.transport.underlying_transport.write(head + payload)

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.transport.send_close(WSCloseCode(code), reason)

    def cut(self) -> None:
        self.transport.disconnect(graceful=False)
