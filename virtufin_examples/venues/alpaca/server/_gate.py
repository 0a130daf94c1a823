"""Who may come in: credentials, connections counted by account and endpoint."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from virtufin_examples.venues.alpaca._limits import Limits


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key and its secret. OAuth comes with key `oauth`, the Broker API with `access_token`."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return "Credentials(***)"


def credentials_of(headers: Mapping[str, str]) -> Credentials | None:
    """Return what the upgrade's headers authenticate with, None when they do not."""
    lower = {name.lower(): value for name, value in headers.items()}
    if "apca-api-key-id" in lower:
        return Credentials(lower["apca-api-key-id"], lower.get("apca-api-secret-key", ""))
    scheme, _, value = lower.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return Credentials("oauth", value.strip())
    if scheme.lower() == "basic":
        try:
            key, _, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Credentials("", "")
        return Credentials(key, secret)
    return None


class Gate:
    """Lets sessions in and counts them. `accepts` checks credentials."""

    def __init__(self, accepts: Callable[[Credentials], bool], limits: Limits) -> None:
        self._accepts = accepts
        self._limits = limits
        self._open: Counter[tuple[str, str]] = Counter()

    @property
    def limits(self) -> Limits:
        """The limits of every account."""
        return self._limits

    def enter(self, path: str, credentials: Credentials) -> int:
        """Take a connection of an endpoint; returns 0, or the error code of the refusal."""
        if not self._accepts(credentials):
            return 402
        refusal = self._limits.refused.get(path, 0)
        if refusal:
            return refusal
        limit = self._limits.connections_per_endpoint
        slot = (path, credentials.key)
        if limit is not None and self._open[slot] >= limit:
            return 406
        self._open[slot] += 1
        return 0

    def leave(self, path: str, credentials: Credentials) -> None:
        """Give a connection back."""
        self._open[(path, credentials.key)] -= 1
