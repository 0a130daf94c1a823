"""Which Dapr a subscriber reads from: its own sidecar, or the one that the gateway names."""

from __future__ import annotations

import logging
import re
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.client._api import DEFAULT_ENDPOINT, ApiClient
from virtufin_examples.errors import InvalidInputError, UnavailableError, VirtufinError

_log = logging.getLogger(__name__)

_PUBLISHER = "websocketmanager"
_NONE = SecretStr("")
_FIX = (
    "set DAPR_GRPC_ENDPOINT (host:port) or DAPR_GRPC_PORT to this program's sidecar, "
    "or VIRTUFIN_API_URL to a gateway that names one"
)


class SidecarSettings(BaseSettings):
    """What tells a subscriber where to read, from the environment and `.env` (the environment wins)."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True
    )

    grpc_endpoint: Annotated[str, Field(validation_alias="DAPR_GRPC_ENDPOINT")] = ""
    grpc_port: Annotated[int, Field(validation_alias="DAPR_GRPC_PORT", ge=0, le=65535)] = 0
    api_token: Annotated[SecretStr, Field(validation_alias="DAPR_API_TOKEN")] = _NONE
    pubsub_name: Annotated[str, Field(validation_alias="VIRTUFIN_PUBSUB_NAME")] = "pubsub"
    api_url: Annotated[str, Field(validation_alias="VIRTUFIN_API_URL")] = ""
    api_key: Annotated[SecretStr, Field(validation_alias="VIRTUFIN_API_KEY")] = _NONE

    @property
    def endpoint(self) -> str:
        """The sidecar's address, empty where neither variable is set."""
        return self.grpc_endpoint or (f"127.0.0.1:{self.grpc_port}" if self.grpc_port else "")

    def sidecar(self, dapr: str | None = None) -> Sidecar | None:
        """Return the one at `dapr`, else the one that the variables name, if they name one."""
        endpoint = dapr or self.endpoint
        return Sidecar(endpoint, self.pubsub_name, self.api_token.get_secret_value()) if endpoint else None


def load_settings() -> SidecarSettings:
    """Read them; `InvalidInputError` names a variable with a bad value."""
    try:
        return SidecarSettings()
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInputError(f"{first['loc'][0]}: {first['msg']}", hint="correct it") from None


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A place to subscribe at."""

    endpoint: str
    pubsub_name: str
    api_token: str

    def bus(self, app_id: str) -> DaprBus:
        """Return a bus that reads and publishes there; the caller's to close."""
        return DaprBus(
            target=self.endpoint, app_id=app_id, api_token=self.api_token, pubsub_name=self.pubsub_name
        )


class SidecarFinder:
    """Finds the sidecar, and says what else there is to read.

    `api` is a gateway: a connected `ApiClient`, an address, or None for `VIRTUFIN_API_URL`.
    """

    def __init__(self, dapr: str | None, api: ApiClient | str | None) -> None:
        self._dapr = dapr
        self._api = api
        self._settings = load_settings()

    async def find(self) -> Sidecar:
        """Return the first that is given: the argument, the environment's, the gateway's.

        Raises `UnavailableError` that names what to set.
        """
        settings = self._settings
        named = settings.sidecar(self._dapr)
        if named is not None:
            return named
        try:
            async with self._gateway() as api:
                address = api.endpoint
                config = await api.config(_PUBLISHER)
        except VirtufinError as error:
            raise UnavailableError(f"no Dapr to subscribe at: {error.message}", hint=_FIX) from error
        if not config.dapr_grpc_endpoint:
            raise UnavailableError(
                f"no Dapr to subscribe at: the gateway {address} names none for {_PUBLISHER}", hint=_FIX
            )
        token = settings.api_token.get_secret_value()
        return Sidecar(config.dapr_grpc_endpoint, config.pubsub_name or settings.pubsub_name, token)

    async def other_topics(self) -> str:
        """Return a hint that names the topics with a live publisher, as the gateway knows them."""
        if self._api is None and not self._settings.api_url and (self._dapr or self._settings.endpoint):
            return "set VIRTUFIN_API_URL to be told here which topics have a publisher"
        try:
            async with self._gateway() as api:
                answer = await api.invoke_json(_PUBLISHER, "List")
        except VirtufinError as error:
            _log.info("cannot ask the gateway which topics there are: %s", error)
            return ""
        topics = sorted({entry["topic"] for entry in answer.get("connections", ()) if entry.get("topic")})
        return f"topics with a publisher: {', '.join(topics)}" if topics else "nothing is being published"

    def _gateway(self) -> ApiClient | _Borrowed:
        if isinstance(self._api, ApiClient):
            return _Borrowed(self._api)
        address = self._api or self._settings.api_url or DEFAULT_ENDPOINT
        return ApiClient(address, self._settings.api_key.get_secret_value() or None)


class _Borrowed:
    """A client that somebody else closes."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def __aenter__(self) -> ApiClient:
        return self._api

    async def __aexit__(self, *_error: object) -> None:
        return None


def own_app_id() -> str:
    """Return an app id that no other process has: readers of one app id share the messages among them."""
    program = re.sub(r"[^A-Za-z0-9-]+", "-", Path(sys.argv[0]).stem).strip("-") or "python"
    return f"{program}-{secrets.token_hex(4)}"
