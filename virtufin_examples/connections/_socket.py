"""The socket port: what the connection core needs of a WebSocket client, and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from virtufin_examples.errors import UnavailableError

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""Largest message taken from a peer, whole or in fragments: with the envelope of a `frame` topic around it,
base64 included, it still fits Dapr's 16 MiB."""

CONNECT_TIMEOUT_SECONDS = 10.0
"""For name resolution, TCP, TLS and the upgrade together."""

CLOSE_TIMEOUT_SECONDS = 1.0
"""How long a peer may take to answer a close before the link is cut."""

Message: TypeAlias = tuple[bytes, bool]
"""One whole message of the peer: its bytes and whether it is binary. Text has been checked to be UTF-8."""


@dataclass(frozen=True, slots=True)
class SocketEnd:
    """How a socket ended.

    `code` is the close code, 1006 when the link broke without one (RFC 6455, section 7.1.5). `violation` says
    that the peer broke the protocol and was closed for it.
    """

    code: int
    reason: str
    violation: bool = False


class UpgradeRefusedError(UnavailableError):
    """The server answered the upgrade with another status than 101."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(f"the server answered the WebSocket upgrade with HTTP status {status}")
        self.status = status
        self.headers = headers


class SocketConnectError(UnavailableError):
    """No WebSocket came about: name, network, TLS, time limit or a broken answer."""


class Socket(Protocol):
    """An open WebSocket. Sending and closing never wait; `UnavailableError` when it is closed already."""

    def send_text(self, payload: bytes) -> None:
        """Send a text message; the bytes are UTF-8."""

    def send_binary(self, payload: bytes) -> None:
        """Send a binary message."""

    @property
    def pongs(self) -> int:
        """How many pongs have come."""

    def ping(self) -> None:
        """Send a ping of the protocol."""

    def close(self, code: int, reason: str) -> None:
        """Begin to close; nothing that comes in afterwards is handed on. Closing twice is no error."""

    def pause_reading(self) -> None:
        """Take nothing more from the network until `resume_reading`; the peer feels it."""

    def resume_reading(self) -> None:
        """Read again."""

    async def wait_closed(self) -> None:
        """Wait until the link is gone."""


class SocketSink(Protocol):
    """Who gets what a socket brings. Called on the event loop, in order; must not block."""

    def opened(self, socket: Socket, headers: Mapping[str, str]) -> None:
        """The upgrade succeeded; `headers` are the answer's, names in lower case. Called once, first."""

    def received(self, payloads: Sequence[bytes], received_ns: int, *, binary: bool) -> None:
        """Messages of one kind that came with one read, at one receive time (Unix nanoseconds)."""

    def closed(self, end: SocketEnd) -> None:
        """The link is gone. Called once, last."""


class SocketNetwork(Protocol):
    """Opens sockets."""

    async def connect(self, url: str, headers: Mapping[str, str], sink: SocketSink) -> Socket:
        """Open a WebSocket; the sink may be called before this returns.

        Redirects are not followed. Raises `UpgradeRefusedError` and `SocketConnectError`; the sink is not
        called then.
        """
