"""The connector of a venue that nobody wrote one for: no opinion, frames pass."""

from __future__ import annotations

from collections.abc import Mapping

from virtufin_examples.connections._retry_after import retry_after_seconds
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import Disposition, Refused, Verdict

_PERMANENT = frozenset({400, 401, 403, 404, 405, 410, 426})
_WAIT = frozenset({418, 429, 503})


class GenericConnector:
    """Claims no URL of its own; takes no options."""

    name = "generic"

    def claims(self, url: str) -> bool:  # noqa: ARG002 - the port's signature
        """Return False: it is chosen where no other connector claims a URL."""
        return False

    def upgrade_refused(self, status: int, headers: Mapping[str, str]) -> Refused:
        """Sort by what the status means in HTTP: a client's fault is permanent, the rest is tried again."""
        reason = f"HTTP status {status} in place of a WebSocket"
        if status in _WAIT:
            return Refused(status, reason, Disposition.WAIT, retry_after_seconds(headers))
        return Refused(status, reason, Disposition.PERMANENT if status in _PERMANENT else Disposition.RETRY)

    def upgrade_headers(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the port's signature
        """Return none."""
        return {}

    def session(self, url: str, options: Mapping[str, str]) -> GenericSession:  # noqa: ARG002 - the port's
        """Return a session; raises `InvalidInputError` for any option."""
        if options:
            raise InvalidInputError(
                f"options: {min(options)!r} is no option of the generic connector",
                hint="name the connector of the venue",
            )
        return GenericSession()


class GenericSession:
    """Reads nothing and waits for nothing."""

    def sent(self, payload: bytes, *, binary: bool) -> None:
        """Note nothing."""

    def received(self, payload: bytes, *, binary: bool) -> Verdict | None:  # noqa: ARG002 - the port's
        """Return None: every frame is data."""
        return None

    def is_control(self, payload: bytes) -> bool:  # noqa: ARG002 - the port's signature
        """Return False."""
        return False

    def opened(self) -> None:
        """Forget nothing."""

    def expects(self) -> int:
        """Return 0: nothing is outstanding."""
        return 0
