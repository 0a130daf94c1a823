"""Settings of the platform, read from the environment and `.env` (the environment wins).

Every variable is listed with its default in `.env.example`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65535)]


class _Base(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="VIRTUFIN_",
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        env_ignore_empty=True,
    )


class PlatformSettings(_Base):
    """What the services need. Port 0 takes a free one. Times carry their unit in the name."""

    host: str = "127.0.0.1"
    """Address that every service listens on: loopback unless told otherwise."""
    log_level: str = "info"
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Accepted x-api-key values, separated by commas; empty switches the check off."""
    data_dir: Path | None = None
    """Folder of the embedded runtime's SQLite file; none keeps everything in memory."""

    gateway_grpc_port: Port = 5002
    gateway_http_port: Port = 5001
    websocketmanager_grpc_port: Port = 15002
    websocketmanager_http_port: Port = 15001
    workmanager_grpc_port: Port = 25002
    workmanager_http_port: Port = 25001
    runtime_grpc_port: Port = 50001
    runtime_http_port: Port = 3500
    runtime_app_id: Annotated[str, Field(min_length=1)] = "virtufin"
    """App id of the embedded runtime's app, and of calls that name none."""
    runtime_app_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Where the embedded runtime's app listens; none: it has no app, and subscribers open streams."""
    runtime_app_protocol: Literal["http", "grpc"] = "http"
    runtime_resources_path: Path | None = None
    """Folder with declarative subscriptions of that app."""
    runtime_strict: bool = False
    """The embedded runtime does without what is kinder there than with daprd's in-memory components."""

    services_file: Path | None = None
    """services.json of the gateway; none: the services that were started with it."""
    gateway_endpoint: str = "127.0.0.1:5002"
    """Where WorkManager reaches the gateway when it runs by itself."""

    pubsub_name: str = "pubsub"
    state_store_name: str = "statestore"
    secret_store_name: str = "secretstore"
    dapr_grpc_endpoint: Annotated[str, Field(validation_alias="DAPR_GRPC_ENDPOINT")] = ""
    dapr_grpc_port: Annotated[Port, Field(validation_alias="DAPR_GRPC_PORT")] = 50001
    dapr_api_token: Annotated[SecretStr, Field(validation_alias="DAPR_API_TOKEN")] = SecretStr("")
    dapr_health_timeout: Annotated[float, Field(validation_alias="DAPR_HEALTH_TIMEOUT", ge=0)] = 60.0
    """Seconds that a service waits for its sidecar as it starts: the variable and default of Dapr's SDK."""
    app_api_token: Annotated[SecretStr, Field(validation_alias="APP_API_TOKEN")] = SecretStr("")
    """What the embedded runtime sends to its app as `dapr-api-token`."""

    gateway_retry_attempts: Annotated[int, Field(ge=0, le=20)] = 3
    gateway_retry_base_delay_ms: Annotated[int, Field(ge=10, le=60_000)] = 200
    gateway_circuit_breaker_threshold: Annotated[int, Field(ge=1, le=1000)] = 5
    gateway_circuit_breaker_duration_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    gateway_timeout_seconds: Annotated[float, Field(gt=0)] = 30.0

    message_timeout_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long a worker may take for one event."""
    code_timeout_seconds: Annotated[float, Field(gt=0)] = 30.0
    allowed_code_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Hosts that worker code may come from besides public ones, separated by commas."""
    worker_recovery: bool = True
    dotnet_runtime: Literal["auto", "dotnet", "wheel", "mono"] = "auto"
    """What .NET workers run on: .NET 8 or newer, the runtime wheel, Mono, or the first of them."""

    instance_id: str = ""
    """Name of this WebSocketManager; empty: the host's name and a random part."""

    topic_partitions: Annotated[int, Field(ge=1, le=64)] = 1
    """Over how many partitions of a broker a topic's connections are spread (Kafka)."""
    spool_dir: Path | None = None
    """Folder for what the bus does not take; none: `spool` in `data_dir`, else in the user's cache folder."""
    spool_max_mb: Annotated[int, Field(ge=1)] = 1024
    """Most that one WebSocketManager keeps there, in MiB; then the oldest frames give way, announced."""

    @field_validator("api_keys", "allowed_code_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def accepted_keys(self) -> tuple[str, ...]:
        """The accepted API keys in the clear; never print them."""
        return tuple(key.get_secret_value() for key in self.api_keys)

    @property
    def dapr_target(self) -> str:
        """The sidecar's gRPC address."""
        return self.dapr_grpc_endpoint or f"127.0.0.1:{self.dapr_grpc_port}"
