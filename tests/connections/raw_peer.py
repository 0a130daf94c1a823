"""A WebSocket server that sends whatever bytes a test gives it, and notes what the client answers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import dataclass, field
from typing import Self

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_SECONDS = 5


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    reserved: int = 0,
    mask: bytes = b"",
    length_bytes: int | None = None,
) -> bytes:
    """Return one frame. `reserved` are the three bits as a number; `length_bytes` forces 2 or 8 of them."""
    size = len(payload)
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 65536 else 8
    flag = {0: size, 2: 126, 8: 127}[length_bytes] | (0x80 if mask else 0)
    head = bytes(((0x80 if final else 0) | reserved << 4 | opcode, flag))
    return head + (size.to_bytes(length_bytes, "big") if length_bytes else b"") + mask + payload


def close_frame(code: int | None = None, reason: bytes = b"") -> bytes:
    """Return a close frame; without a code it is empty."""
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


def fragments(opcode: int, pieces: list[bytes]) -> list[bytes]:
    """Return one message as frames."""
    last = len(pieces) - 1
    return [frame(CONTINUATION if n else opcode, piece, final=n == last) for n, piece in enumerate(pieces)]


@dataclass
class RawPeer:
    """One client's socket."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    request: dict[str, str]
    pongs: list[bytes] = field(default_factory=list)
    closes: list[bytes] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def send(self, *frames: bytes, chop: int = 0) -> None:
        """Write frames at once, or in pieces of `chop` bytes, each a write of its own."""
        data = b"".join(frames)
        for start in range(0, len(data), chop or len(data) or 1):
            try:
                self.writer.write(data[start : start + (chop or len(data))])
                await self.writer.drain()
            except ConnectionError:
                return  # the client has closed: the test looks at why
            if chop:
                await asyncio.sleep(0)

    async def until_pongs(self, count: int) -> list[bytes]:
        """Wait for so many pongs."""
        async with asyncio.timeout(_SECONDS), self.changed:
            await self.changed.wait_for(lambda: len(self.pongs) >= count)
        return self.pongs

    async def closed(self) -> int | None:
        """Wait until the client is gone; return the code of its first close frame, None when it had none."""
        await asyncio.wait_for(self.done.wait(), _SECONDS)
        return int.from_bytes(self.closes[0][:2], "big") if self.closes and self.closes[0] else None

    async def listen(self) -> None:
        """Read the client's frames until it is gone."""
        try:
            while True:
                first, second = await self.reader.readexactly(2)
                assert second & 0x80, "a client masks its frames"
                size = second & 0x7F
                if size > 125:
                    size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
                mask = await self.reader.readexactly(4)
                data = await self.reader.readexactly(size)
                payload = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
                async with self.changed:
                    if first & 0xF == PONG:
                        self.pongs.append(payload)
                    elif first & 0xF == CLOSE:
                        self.closes.append(payload)
                    self.changed.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.writer.close()
            self.done.set()


class RawServer:
    """Accepts upgrades on a free port of 127.0.0.1; `extra` are lines added to its answer."""

    def __init__(self, extra: str = "", after: bytes = b"") -> None:
        self._extra = extra
        self._after = after
        self._peers: asyncio.Queue[RawPeer] = asyncio.Queue()
        self._all: list[RawPeer] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/feed"
        return self

    async def __aexit__(self, *_) -> None:
        self._server.close()
        for peer in self._all:
            peer.writer.close()
            await asyncio.wait_for(peer.done.wait(), _SECONDS)
        await self._server.wait_closed()

    async def accept(self) -> RawPeer:
        """Wait for the next client."""
        return await asyncio.wait_for(self._peers.get(), _SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:] if line)
        }
        digest = hashlib.sha1(request["sec-websocket-key"].encode() + _GUID).digest()
        accept = base64.b64encode(digest).decode()
        answer = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n{self._extra}\r\n"
        )
        writer.write(answer.encode() + self._after)
        peer = RawPeer(reader, writer, request)
        self._all.append(peer)
        self._peers.put_nowait(peer)
        await peer.listen()
