"""The gateway for a command: `--gateway`, else `VIRTUFIN_API_URL`, else this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from virtufin_examples.client import ApiClient

Gateway = Annotated[
    str | None, typer.Option("--gateway", help="host:port (default: VIRTUFIN_API_URL, else 127.0.0.1:5002).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON lines.")]


def api_client(gateway: str | None) -> ApiClient:
    """Return a client of the gateway that the user means."""
    from virtufin_examples.client import DEFAULT_ENDPOINT, ApiClient, ClientSettings

    settings = ClientSettings.load()
    key = settings.api_key.get_secret_value() or None
    return ApiClient(gateway or settings.api_url or DEFAULT_ENDPOINT, key)
