"""Who calls, and whether they may."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from virtufin_examples.bus.embedded._statuses import UnauthenticatedError

APP_ID_METADATA = "dapr-app-id"
TOKEN_METADATA = "dapr-api-token"


@dataclass(frozen=True, slots=True)
class Callers:
    """Tells who calls: the app id of the call's metadata, else the default one; checks the API token."""

    default_app_id: str
    token: str

    def identify(self, metadata: Iterable[tuple[str, str | bytes]]) -> str:
        """Return the app id; raises `UnauthenticatedError` without the right token.

        `metadata` are those of a gRPC call or the headers of an HTTP request, names in lower case.
        """
        app_id, token = self.default_app_id, ""
        for key, value in metadata:
            if key == APP_ID_METADATA and value:
                app_id = str(value)
            elif key == TOKEN_METADATA:
                token = str(value)
        if self.token and not hmac.compare_digest(token.encode(), self.token.encode()):
            raise UnauthenticatedError(
                "authentication error: api token mismatch"
                if token
                else "missing api token in request metadata",
                hint="set DAPR_API_TOKEN to the runtime's",
            )
        return app_id
