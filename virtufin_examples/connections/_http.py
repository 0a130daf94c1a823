"""HTTP as a port: what sessions ask for before they connect and while they live."""

from __future__ import annotations

from typing import Protocol

from virtufin_examples.errors import UnavailableError
from virtufin_examples.venues import HttpRequest, HttpResponse

HTTP_SECONDS = 10.0
MAX_BODY_BYTES = 8 * 1024 * 1024


class HttpClient(Protocol):
    """Makes requests."""

    async def request(self, request: HttpRequest) -> HttpResponse:
        """Return the answer, whatever its status; redirects are not followed. Raises `UnavailableError`."""


class HttpxClient:
    """The client on httpx: a connection for each request, since they are minutes apart."""

    async def request(self, request: HttpRequest) -> HttpResponse:
        """Return the answer; see `HttpClient`. An error never shows the URL, which may hold a token."""
        import httpx  # noqa: PLC0415 - a tenth of a second to import, and few venues need it

        try:
            async with (
                httpx.AsyncClient(timeout=HTTP_SECONDS, follow_redirects=False, trust_env=False) as client,
                client.stream(
                    request.method, request.url, headers=dict(request.headers), content=request.body
                ) as response,
            ):
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BODY_BYTES:
                        raise UnavailableError(
                            f"request {request.name!r}: answer over {MAX_BODY_BYTES} bytes"
                        )
                headers = {name.lower(): value for name, value in response.headers.items()}
                return HttpResponse(response.status_code, headers, bytes(body))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnavailableError(f"request {request.name!r} failed: {type(error).__name__}") from error
