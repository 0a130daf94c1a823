"""Metadata and secrets over gRPC."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dapr.proto.runtime.v1 import metadata_pb2, secret_pb2
from google.protobuf import empty_pb2

from virtufin_examples.bus.embedded._app_client import APP_HOST
from virtufin_examples.errors import InvalidInputError, VirtufinError

SECRET_STORE_NAME = "secretstore"
RUNTIME_VERSION = "1.18.2+virtufin.embedded"  # the daprd whose behaviour was taken as the model


class PlatformService:
    """The metadata and secret methods of the Dapr service."""

    def __init__(
        self,
        components: Mapping[str, str],
        secrets: Mapping[str, Mapping[str, str]],
        subscriptions: Callable[[str], list[metadata_pb2.PubsubSubscription]],
        app_port: int | None = None,
        app_protocol: str = "",
    ) -> None:
        self._components = components
        self._secrets = secrets
        self._subscriptions = subscriptions
        self._app = None
        if app_port is not None:
            self._app = metadata_pb2.AppConnectionProperties(
                port=app_port, protocol=app_protocol, channel_address=APP_HOST
            )
        self._extended: dict[str, dict[str, str]] = {}
        self.shared: dict[str, str] = {"daprRuntimeVersion": RUNTIME_VERSION}
        """The extended metadata that every app id gets."""

    async def get_metadata(
        self, _request: metadata_pb2.GetMetadataRequest, app_id: str
    ) -> metadata_pb2.GetMetadataResponse:
        """Return what there is: components by name, the app id's subscriptions and own metadata."""
        return metadata_pb2.GetMetadataResponse(
            id=app_id,
            registered_components=[
                metadata_pb2.RegisteredComponents(name=name, type=kind, version="v1")
                for name, kind in self._components.items()
            ],
            extended_metadata={**self.shared, **self._extended.get(app_id, {})},
            subscriptions=self._subscriptions(app_id),
            runtime_version=RUNTIME_VERSION,
            app_connection_properties=self._app,
        )

    async def set_metadata(self, request: metadata_pb2.SetMetadataRequest, app_id: str) -> empty_pb2.Empty:
        """Keep a value of the app id's own, for as long as the runtime runs."""
        if not request.key:
            return empty_pb2.Empty()  # as daprd
        self._extended.setdefault(app_id, {})[request.key] = request.value
        return empty_pb2.Empty()

    async def get_secret(
        self, request: secret_pb2.GetSecretRequest, _app_id: str
    ) -> secret_pb2.GetSecretResponse:
        """Return the entries of a secret; INTERNAL when there is none, as daprd answers."""
        _check_store(request.store_name)
        entries = self._secrets.get(request.key)
        if entries is None:
            raise VirtufinError(
                f"failed getting secret with key {request.key} from secret store {request.store_name}:"
                f" secret {request.key} not found"
            )
        return secret_pb2.GetSecretResponse(data=entries)

    async def get_bulk_secret(
        self, request: secret_pb2.GetBulkSecretRequest, _app_id: str
    ) -> secret_pb2.GetBulkSecretResponse:
        """Return every secret."""
        _check_store(request.store_name)
        response = secret_pb2.GetBulkSecretResponse()
        for name, entries in self._secrets.items():
            response.data[name].secrets.update(entries)
        return response


def _check_store(store_name: str) -> None:
    if store_name != SECRET_STORE_NAME:
        raise InvalidInputError(
            f"failed finding secret store with key {store_name}", hint=f"it is named {SECRET_STORE_NAME!r}"
        )
