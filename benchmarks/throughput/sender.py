"""One sender for all contenders: a WebSocket server that writes prebuilt frames as fast as they are taken.

`python -m benchmarks.throughput.sender --frames N --size BYTES --write BYTES` prints `{"port": ...}`, then
`{"began_ns": ...}` (monotonic) when the first frame goes out, and ends when its stdin closes. The connections
share the frames evenly; they get them once all of them are open and one has sent a message; with `--rounds`
as many again for each further message. With `--rate`
one connection gets its frames by a schedule, each with the time when it was due inside, whatever became of
those before it. With `--depth` the frames are changes of eight books with consecutive numbers, behind an
answer to the first message.
The standard library alone, so that it runs beside any contender.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import selectors
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Iterator

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_TEXT_FINAL, _PONG_FINAL, _PING = 0x81, 0x8A, 0x9
_SHORT, _MEDIUM = 126, 1 << 16
_HANDSHAKE_SECONDS = 10.0
_A_TURN = 65536
_TIME_DIGITS = 19
_OPENING = b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","a":'
_REST = b',"s":"BTCUSDT","p":"0.1","q":"1","T":1700000000000,"m":true,"x":"'
_CLOSING = b'"}}'
DUE = slice(len(_OPENING), len(_OPENING) + _TIME_DIGITS)
"""Where a frame's payload has the time when it was due, ns since 1970."""
SMALLEST = len(_OPENING) + _TIME_DIGITS + len(_REST) + len(_CLOSING)
QUESTION = b'{"method":"GET_PROPERTY","params":["combined"],"id":1}'
"""What a subscriber of the books asks first."""
_ANSWER = b'{"result":true,"id":1}'
_BOOKS = tuple(f"{letter}BCUSDT" for letter in "ADEFGHKL")
_DEPTH_END = b'"]],"a":[]}}'
_FIRST_NUMBER = 1_000_000_000

_Socket = socket.socket | ssl.SSLSocket


def text_frame(size: int, due_ns: int = 0) -> bytes:
    """Return one unmasked text frame with a payload of `size` bytes: a trade in Binance's form."""
    if size < SMALLEST:
        raise ValueError(f"size is {size}, below {SMALLEST}: no trade fits")
    # Numbers of JSON have no leading zeros.
    number = b"%d" % (due_ns or 10 ** (_TIME_DIGITS - 1))
    return _framed(_OPENING + number + _REST + b"A" * (size - SMALLEST) + _CLOSING)


def depth_frames(size: int, count: int) -> bytes:
    """Return frames with a payload of `size` bytes each: the books' changes in turn, as of Binance."""
    return b"".join(_framed(_depth_payload(size, number)) for number in range(count))


def _depth_payload(size: int, number: int) -> bytes:
    book = _BOOKS[number % len(_BOOKS)]
    update = _FIRST_NUMBER + number // len(_BOOKS)
    head = (
        f'{{"stream":"{book.lower()}@depth","data":{{"e":"depthUpdate","E":1700000000000,"s":"{book}",'
        f'"U":{update},"u":{update},"b":[["0.1","'
    )
    return head.encode().ljust(size - len(_DEPTH_END), b"1") + _DEPTH_END


def _framed(payload: bytes) -> bytes:
    size = len(payload)
    if size < _SHORT:
        return bytes((_TEXT_FINAL, size)) + payload
    if size < _MEDIUM:
        return struct.pack("!BBH", _TEXT_FINAL, 126, size) + payload
    return struct.pack("!BBQ", _TEXT_FINAL, 127, size) + payload


class _Supply:
    """The frames, prebuilt: a write of trades, all alike, or every book's changes to the last."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._frame_bytes = len(text_frame(given.size))
        self.a_write = max(1, given.write // self._frame_bytes)
        self._repeats = not given.depth
        self._frames = memoryview(
            depth_frames(given.size, given.frames) if given.depth else text_frame(given.size) * self.a_write
        )

    def take(self, first: int, count: int) -> memoryview:
        """Return so many frames, from the one with this number on."""
        start = 0 if self._repeats else first * self._frame_bytes
        return self._frames[start : start + count * self._frame_bytes]


class _Client:
    """One connection: what it still gets, and what it said."""

    def __init__(self, connection: _Socket) -> None:
        self.socket = connection
        self.frames = 0
        self.sent = 0
        self.answers = b""
        self.request: bytes | None = b""
        """What has come of the opening handshake; None after it."""
        self._rest = memoryview(b"")

    def send(self, supply: _Supply) -> bool:
        """Send for a turn, a chunk a call; whether there is more."""
        turn = _A_TURN
        while turn > 0:
            if not self._rest:
                if self.answers:
                    self._rest, self.answers = memoryview(self.answers), b""
                elif self.frames > self.sent:
                    frames = min(self.frames - self.sent, supply.a_write)
                    self._rest = supply.take(self.sent, frames)
                    self.sent += frames
                else:
                    return False
            try:
                sent = self.socket.send(self._rest)
            except (BlockingIOError, ssl.SSLWantWriteError):
                return True
            except OSError:
                return False  # it has left: reading finds the end
            self._rest = self._rest[sent:]
            turn -= sent
        return True

    def receive(self) -> bytes:
        """Take what has arrived, and answer a ping, which is assumed to come whole; empty at the end."""
        try:
            said = self.socket.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError):
            return b"-"
        except OSError:
            return b""
        if self.request is None and len(said) >= 6 and said[0] & 0xF == _PING:
            size = said[1] & 0x7F
            mask, payload = said[2:6], said[6 : 6 + size]
            answer = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
            self.answers += bytes((_PONG_FINAL, len(answer))) + answer
        return said


def upgrade_answer(request: bytes) -> bytes:
    """Return the answer to a whole request for a WebSocket."""
    key = next(
        line.partition(b":")[2].strip()
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key:")
    )
    accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


class Sender:
    """All connections, in one thread."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=8192)
        self._tls: ssl.SSLContext | None = None
        if given.certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(given.certificate)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._clients: list[_Client] = []
        self._asked = given.at_once
        self._rounds: int = given.rounds
        self._supply = _Supply(given)
        print(json.dumps({"port": self._listener.getsockname()[1]}), flush=True)

    @property
    def _has_begun(self) -> bool:
        return bool(self._rounds < self._given.rounds)

    def run(self) -> None:
        """Serve for ever."""
        while True:
            for key, events in self._selector.select():
                if key.data is None:
                    self._accept()
                    continue
                client: _Client = key.data
                if events & selectors.EVENT_READ:
                    self._read(client)
                elif not client.send(self._supply):
                    self._selector.modify(client.socket, selectors.EVENT_READ, client)

    def _accept(self) -> None:
        connection: _Socket = self._listener.accept()[0]
        connection.settimeout(_HANDSHAKE_SECONDS)
        with contextlib.suppress(OSError):  # a client that leaves again
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            connection.settimeout(0)
            self._selector.register(connection, selectors.EVENT_READ, _Client(connection))

    def _read(self, client: _Client) -> None:
        said = client.receive()
        if not said:
            self._selector.unregister(client.socket)
            client.socket.close()
            if client in self._clients and not self._has_begun:
                self._clients.remove(client)
        elif said == b"-":
            return
        elif client.request is not None:
            client.request += said
            if b"\r\n\r\n" in client.request:
                client.socket.send(upgrade_answer(client.request))  # a new socket takes so little whole
                client.request = None
                self._clients.append(client)
                if not self._has_begun:  # one that comes again begins no further round
                    self._begin(client)
        elif client.answers:
            self._selector.modify(client.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, client)
        else:
            self._asked = True
            self._begin(client)

    def _begin(self, client: _Client) -> None:
        given = self._given
        if not self._rounds or not self._asked or len(self._clients) < given.connections:
            return
        self._rounds -= 1
        if given.rate:
            self._keep_to_the_schedule(client)
            return
        share, more = divmod(given.frames, given.connections)
        for number, each in enumerate(self._clients):
            each.frames += share + (number < more)
            if given.depth:
                each.answers += _framed(_ANSWER)
            self._selector.modify(each.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, each)
        print(json.dumps({"began_ns": time.monotonic_ns()}), flush=True)

    def _keep_to_the_schedule(self, client: _Client) -> None:
        """Send each frame when it is due; a late one keeps its time, so that waiting counts as latency."""
        given, connection = self._given, client.socket
        interval_ns = 1e9 / given.rate
        start_ns = time.time_ns() + 1_000_000
        print(json.dumps({"began_ns": time.monotonic_ns()}), flush=True)
        connection.settimeout(None)
        sent, heard = 0, time.monotonic()
        while sent < given.frames:
            due = min(given.frames, int((time.time_ns() - start_ns) / interval_ns) + 1)
            if due > sent:
                connection.sendall(b"".join(_timed(given.size, range(sent, due), start_ns, interval_ns)))
                sent = due
            now = time.monotonic()
            if now - heard > 0.5:
                heard = now
                connection.settimeout(0)
                client.receive()
                connection.settimeout(None)
                if client.answers:
                    connection.sendall(client.answers)
                    client.answers = b""
            wait_ns = start_ns + sent * interval_ns - time.time_ns()
            if wait_ns > 0:
                time.sleep(wait_ns / 1e9)
        connection.settimeout(0)


def _timed(size: int, numbers: range, start_ns: int, interval_ns: float) -> Iterator[bytes]:
    frame = text_frame(size)
    at = frame.index(_OPENING) + len(_OPENING)
    before, after = frame[:at], frame[at + _TIME_DIGITS :]
    for number in numbers:
        yield b"%b%d%b" % (before, start_ns + int(number * interval_ns), after)


def main() -> None:
    """Serve until stdin closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--write", type=int, required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--depth", action="store_true", help="books of Binance in place of trades")
    parser.add_argument("--at-once", action="store_true", help="wait for no message of the client")
    parser.add_argument("--certificate", help="serve wss:// with this file of key and certificate")
    sender = Sender(parser.parse_args())
    threading.Thread(target=sender.run, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
