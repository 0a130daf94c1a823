"""What one connection is and lives on: shared by its lines and epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from virtufin_examples.connections._budget import Scope, Scopes
from virtufin_examples.connections._clock import Clock
from virtufin_examples.connections._handshake import HandshakeMessage
from virtufin_examples.connections._healing import Healing
from virtufin_examples.connections._http import HttpClient
from virtufin_examples.connections._secrets import SecretResolver, resolve
from virtufin_examples.connections._socket import SocketNetwork
from virtufin_examples.connections._state import Observer
from virtufin_examples.connections._stream import Stream
from virtufin_examples.errors import ResourceLimitError
from virtufin_examples.venues import Connector, HttpRequest, Session, Target, VenueLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSpec:
    """What was asked for."""

    id: str
    url: str
    auto_reconnect: bool
    connector: Connector
    options: Mapping[str, str]
    owner: str = ""


class Environment(Protocol):
    """What connections live on. `scopes` are shared by all connections of the process."""

    @property
    def network(self) -> SocketNetwork: ...
    @property
    def http(self) -> HttpClient: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def secrets(self) -> SecretResolver: ...
    @property
    def scopes(self) -> Scopes: ...
    @property
    def observer(self) -> Observer: ...


def url_template(url: str) -> str:
    """Return a URL without user info, query and fragment: the form in which it is shown and written down."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class Context:
    """One connection's parts, and its secrets filled in."""

    def __init__(
        self, spec: ConnectionSpec, environment: Environment, stream: Stream, randomness: Callable[[], float]
    ) -> None:
        self.spec = spec
        self.stream = stream
        self.randomness = randomness
        self.network = environment.network
        self.http = environment.http
        self.clock = environment.clock
        self.limits: VenueLimits = spec.connector.limits(spec.url, spec.options)
        self.healing = Healing.parse(spec.options, self.limits)
        self.scope: Scope = environment.scopes.scope(self.limits)
        self._secrets = environment.secrets

    def require_symbols(self, session: Session, payload: bytes = b"") -> None:
        """Raise `ResourceLimitError` where the socket would have more symbols than the venue allows."""
        allowed = self.limits.symbols
        count = session.symbols_with(payload) if allowed is not None else 0
        if allowed is not None and count > allowed:
            raise ResourceLimitError(
                f"symbols: {count} on one socket; {self.spec.connector.name} allows {allowed}",
                hint="spread them over several connections",
            )

    async def message(self, message: HandshakeMessage) -> bytes:
        """Return a message with its secrets, for the host of the connection's URL."""
        if not message.secrets:
            return message.payload
        return await resolve(message.payload, url=self.spec.url, as_json=message.json, resolver=self._secrets)

    async def target(self, target: Target) -> Target:
        """Return the target with its secrets."""
        url = await resolve(target.url.encode(), url=target.url, as_url=True, resolver=self._secrets)
        return Target(url.decode(), await self._headers(target.headers, target.url))

    async def request(self, request: HttpRequest) -> HttpRequest:
        """Return the request with its secrets, for the host of its own URL."""
        url = await resolve(request.url.encode(), url=request.url, as_url=True, resolver=self._secrets)
        as_json = any("json" in v for k, v in request.headers.items() if k.lower() == "content-type")
        body = await resolve(request.body, url=request.url, as_json=as_json, resolver=self._secrets)
        headers = await self._headers(request.headers, request.url)
        return HttpRequest(request.name, url.decode(), request.method, headers, body)

    async def _headers(self, headers: Mapping[str, str], url: str) -> dict[str, str]:
        return {
            name: (await resolve(value.encode(), url=url, resolver=self._secrets)).decode()
            for name, value in headers.items()
        }
