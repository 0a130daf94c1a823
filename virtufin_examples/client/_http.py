"""A request over HTTP now and then, without a dependency: symbols, snapshots, a simulator's control port."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from dataclasses import dataclass

from virtufin_examples.errors import UnavailableError

FETCH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes


async def fetch(url: str, *, method: str = "GET", body: bytes | None = None) -> Answer:
    """Ask a URL; `UnavailableError` when nobody answers in time. A status of an error is an answer."""

    def ask() -> Answer:
        request = urllib.request.Request(url, method=method, data=body)  # noqa: S310 - http(s), made by a venue
        try:
            with urllib.request.urlopen(request, timeout=FETCH_SECONDS) as answer:  # noqa: S310 - the same
                return Answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read())
        except OSError as error:
            raise UnavailableError(f"{url.partition('?')[0]}: {error}") from None

    return await asyncio.to_thread(ask)
