"""One sender for all contenders: a WebSocket server that writes prebuilt frames as fast as they are taken.

`python -m benchmarks.throughput.sender --frames N --size BYTES --write BYTES`
prints `{"port": ...}`, and ends when its stdin closes. A connection gets
its frames after its first message, a chunk a `send`; then nothing.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import socket
import struct
import sys
import threading

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_TEXT_FINAL = 0x81
_SHORT, _MEDIUM = 126, 1 << 16
_OPENING = b'{"T":"t","S":"'


def text_frame(size: int) -> bytes:
    """Return one unmasked text frame with a payload of `size` bytes that looks like a trade."""
    payload = (_OPENING + b"A" * size)[: size - 2] + b'"}'
    if size < _SHORT:
        return bytes((_TEXT_FINAL, size)) + payload
    if size < _MEDIUM:
        return struct.pack("!BBH", _TEXT_FINAL, 126, size) + payload
    return struct.pack("!BBQ", _TEXT_FINAL, 127, size) + payload


def serve(connection: socket.socket, *, frames: int, size: int, write_bytes: int) -> None:
    """Answer the upgrade, wait for the first message, send the frames, then wait for the end."""
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(65536)
        key = next(
            line.partition(b":")[2].strip()
            for line in request.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        )
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        if not connection.recv(65536):
            return
        one = text_frame(size)
        a_write = max(1, write_bytes // len(one))
        chunk = one * a_write
        for _ in range(frames // a_write):
            connection.sendall(chunk)
        connection.sendall(one * (frames % a_write))
        while connection.recv(65536):
            pass


def main() -> None:
    """Serve until stdin closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--write", type=int, required=True)
    given = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=8192)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(
                target=serve,
                args=(connection,),
                kwargs={"frames": given.frames, "size": given.size, "write_bytes": given.write},
                daemon=True,
            ).start()

    threading.Thread(target=accept, daemon=True).start()
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
