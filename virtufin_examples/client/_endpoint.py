"""Where the gateway is: reading its address, and saying what is wrong when it cannot be reached."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from virtufin_examples.errors import InvalidInputError, UnavailableError

DEFAULT_GATEWAY_PORT = 5002
CONNECT_TIMEOUT_SECONDS = 2.0
"""For each of name look-up and TCP connect, so that with the first call all is said within 5 s."""

_FIX = "correct VIRTUFIN_API_URL or --gateway"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A gateway's gRPC address."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """Read `host:port` or `http://host:port`; without a port it is 5002.

    `InvalidInputError` names the value seen. TLS (`https://`) is refused: the gateway speaks plain gRPC, and
    a proxy that adds TLS belongs on this machine.
    """
    value = text.strip()
    with_scheme = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(with_scheme)
        port = parts.port
    except ValueError as error:
        raise InvalidInputError(f"gateway address is {text!r}: {error}", hint=_FIX) from None
    if parts.scheme != "http":
        raise InvalidInputError(
            f"gateway address is {text!r}: {parts.scheme}:// is not spoken", hint="write host:port"
        )
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if not parts.hostname or extra or port == 0:
        raise InvalidInputError(f"gateway address is {text!r}: not host:port", hint=_FIX)
    return Endpoint(parts.hostname, port or DEFAULT_GATEWAY_PORT)


async def probe(endpoint: Endpoint) -> None:
    """Connect once by TCP; `UnavailableError` says which of name, port and network is at fault."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise UnavailableError(
            f"gateway {endpoint}: no such host {endpoint.host!r} ({error.strerror})", hint=_FIX
        ) from None
    except TimeoutError:
        raise UnavailableError(
            f"gateway {endpoint}: looking up {endpoint.host!r} took over {CONNECT_TIMEOUT_SECONDS:g} s",
            hint="check the name and the network",
        ) from None
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
    except TimeoutError:
        raise UnavailableError(
            f"gateway {endpoint}: no answer within {CONNECT_TIMEOUT_SECONDS:g} s",
            hint="is the host up, and does a firewall let you through?",
        ) from None
    except ConnectionRefusedError:
        raise UnavailableError(
            f"gateway {endpoint}: connection refused, nothing listens there",
            hint=f"start one with `virtufin up`, or {_FIX}",
        ) from None
    except OSError as error:
        raise UnavailableError(f"gateway {endpoint}: {error.strerror or error}", hint=_FIX) from None
    writer.close()
