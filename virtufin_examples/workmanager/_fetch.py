"""Fetching worker code from a URL: bounded in time and size, and never from inside the network.

The name is resolved once; the address that was checked is the one that is connected to, so that a second
DNS answer cannot lead elsewhere. Redirects are followed by hand, each with the same checks.
"""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import httpx

from virtufin_examples.errors import (
    AccessDeniedError,
    DeadlineError,
    InvalidInputError,
    ResourceLimitError,
    UnavailableError,
)
from virtufin_examples.workmanager._addresses import host_is_listed, refusal
from virtufin_examples.workmanager._code import MAX_CODE_BYTES, shown_url

MAX_REDIRECTS = 5
_DEFAULT_PORTS = {"http": 80, "https": 443}

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Credential:
    """Used for one fetch. `hosts` limits where it may go; empty: the host of the URL, never a redirect's."""

    authorization: str = field(repr=False)
    hosts: tuple[str, ...] = ()

    @classmethod
    def basic(cls, username: str, password: str, hosts: tuple[str, ...] = ()) -> Credential:
        """HTTP Basic (RFC 7617)."""
        return cls("Basic " + base64.b64encode(f"{username}:{password}".encode()).decode(), hosts)

    @classmethod
    def bearer(cls, token: str, hosts: tuple[str, ...] = ()) -> Credential:
        """Bearer token (RFC 6750)."""
        return cls(f"Bearer {token}", hosts)


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host; raises `OSError` when it has none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def fetch_code(
    url: str,
    *,
    allowed_hosts: Sequence[str],
    timeout_seconds: float,
    credential: Credential | None = None,
    resolver: Resolve = resolve,
) -> bytes:
    """Return what a URL holds.

    Raises `InvalidInputError` (bad URL), `AccessDeniedError` (forbidden host, refused credential),
    `ResourceLimitError` (too large), `DeadlineError`, `UnavailableError` (no answer, HTTP error).
    """
    target = parse_url(url)
    if credential is not None:
        _check_credential(credential, target, allowed_hosts)
    origin = _origin(target)
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            # No proxy and no .netrc from the environment: they would go around the checks.
            httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=None) as client,  # noqa: S113 - see above
        ):
            for _ in range(MAX_REDIRECTS + 1):
                address = await _checked_address(target, allowed_hosts, resolver)
                keeps = credential is not None and _origin(target) == origin
                headers = {"authorization": credential.authorization} if keeps and credential else {}
                answer = await _get(client, target, address, headers)
                if isinstance(answer, bytes):
                    return answer
                target = parse_url(str(answer))
    except TimeoutError:
        raise DeadlineError(
            f"code_source.url: {shown_url(url)} was not fetched within {timeout_seconds:g} s",
            hint="set VIRTUFIN_CODE_TIMEOUT_SECONDS, or send the code as bytes",
        ) from None
    except httpx.HTTPError as error:
        raise UnavailableError(f"code_source.url: {shown_url(url)}: {error}") from error
    raise UnavailableError(f"code_source.url: {shown_url(url)} redirects more than {MAX_REDIRECTS} times")


def parse_url(url: str) -> httpx.URL:
    """Return the URL when it is one that code may be fetched from."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidInputError(f"code_source.url: {shown_url(url)!r} is no URL: {error}") from error
    if parsed.scheme not in _DEFAULT_PORTS or not parsed.host:
        raise InvalidInputError(
            f"code_source.url: {shown_url(url)!r} is no http or https URL", hint="use https://host/path"
        )
    if parsed.userinfo:
        raise InvalidInputError(
            f"code_source.url: {shown_url(url)!r} has a user name or password in it",
            hint="use code_source.credential, which is never stored",
        )
    return parsed


def _port(url: httpx.URL) -> int:
    return url.port or _DEFAULT_PORTS[url.scheme]


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, _port(url)


def _check_credential(credential: Credential, url: httpx.URL, allowed_hosts: Sequence[str]) -> None:
    if credential.hosts and not host_is_listed(url.host, _port(url), credential.hosts):
        raise AccessDeniedError(
            f"code_source.credential: it may not go to {url.host}",
            hint=f"it is for {', '.join(credential.hosts)}",
        )
    if url.scheme == "http" and not host_is_listed(url.host, _port(url), allowed_hosts):
        raise AccessDeniedError(
            f"code_source.credential: it would go to {url.host} in the clear", hint="use an https URL"
        )


async def _checked_address(url: httpx.URL, allowed_hosts: Sequence[str], resolver: Resolve) -> str:
    port = _port(url)
    try:
        addresses = await resolver(url.host, port)
    except OSError as error:
        raise UnavailableError(f"code_source.url: host {url.host} is not found: {error}") from error
    if not addresses:
        raise UnavailableError(f"code_source.url: host {url.host} has no address")
    if host_is_listed(url.host, port, allowed_hosts):
        return addresses[0]
    for address in addresses:  # all: which one is used must not matter
        kind = refusal(address)
        if kind:
            raise AccessDeniedError(
                f"code_source.url: host {url.host} has a {kind} address",
                hint="name the host in VIRTUFIN_ALLOWED_CODE_HOSTS, or send the code as bytes",
            )
    return addresses[0]


async def _get(
    client: httpx.AsyncClient, url: httpx.URL, address: str, headers: Mapping[str, str]
) -> bytes | httpx.URL:
    """Fetch from exactly this address: the body, or where it redirects to."""
    request = client.build_request(
        "GET",
        url.copy_with(host=address, fragment=None),
        headers={**headers, "host": url.netloc.decode(), "accept-encoding": "identity"},
        extensions={"sni_hostname": url.host},  # the certificate is checked against the name
    )
    response = await client.send(request, stream=True)
    try:
        if response.has_redirect_location:
            return url.join(response.headers["location"])
        if response.status_code != httpx.codes.OK:
            _refused(url, response.status_code)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise UnavailableError(f"code_source.url: {shown_url(str(url))} sends compressed data unasked")
        return await _body(response)
    finally:
        await response.aclose()


def _refused(url: httpx.URL, status: int) -> NoReturn:
    message = f"code_source.url: {shown_url(str(url))} answered {status}"
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise AccessDeniedError(message, hint="give code_source.credential")
    raise UnavailableError(message)


async def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_CODE_BYTES:
            raise ResourceLimitError(f"code_source.url: more than {MAX_CODE_BYTES} bytes of code")
    return bytes(body)
