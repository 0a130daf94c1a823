"""API keys: `x-api-key` compared in constant time; health is exempt."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

KEY_HEADER = "x-api-key"
_HEALTH_PATHS = ("/health", "/health/live", "/health/ready", "/healthz")


def key_is_accepted(given: str, accepted: Sequence[str]) -> bool:
    """Whether `given` is one of the accepted keys; with none configured every call is accepted."""
    if not accepted:
        return True
    matches = [hmac.compare_digest(given.encode(), key.encode()) for key in accepted]
    return any(matches)


class HttpKeyGuard:
    """Refuses HTTP requests without an accepted key, save for health and `open_paths`."""

    def __init__(self, app: ASGIApp, accepted: Sequence[str], *, open_paths: Sequence[str] = ()) -> None:
        self._app = app
        self._accepted = accepted
        self._open_paths = frozenset((*_HEALTH_PATHS, *open_paths))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on or answer 401."""
        if scope["type"] == "http" and scope["path"] not in self._open_paths:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            if not key_is_accepted(headers.get(KEY_HEADER, ""), self._accepted):
                answer = JSONResponse(
                    {"error": "UNAUTHENTICATED", "message": "missing or unknown x-api-key"}, status_code=401
                )
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)
