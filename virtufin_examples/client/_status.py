"""gRPC statuses of the gateway, said as errors of the project."""

from __future__ import annotations

import grpc
import grpc.aio

from virtufin_examples.errors import AccessDeniedError, UnavailableError, VirtufinError, error_from_status

_KEY_HINT = "set VIRTUFIN_API_KEY to one of the gateway's keys"


def gateway_error(error: grpc.aio.AioRpcError, endpoint: str) -> VirtufinError:
    """Explain why the first call to what listens at `endpoint` failed."""
    code = error.code()
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return AccessDeniedError(f"gateway {endpoint}: the API key is missing or wrong", hint=_KEY_HINT)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return UnavailableError(
            f"{endpoint} speaks gRPC but is not a gateway", hint="the gateway's gRPC port is 5002 by default"
        )
    return UnavailableError(
        f"{endpoint} is not a gateway: what listens there does not answer gRPC ({code.name})",
        hint="give the gateway's gRPC port (5002 by default), not its HTTP port",
    )


def call_error(error: grpc.aio.AioRpcError, what: str, endpoint: str) -> VirtufinError:
    """Return the error for a call that failed on a gateway that had answered before."""
    code = error.code()
    text = error.details() or code.name
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return AccessDeniedError(f"{what}: {text}", hint=_KEY_HINT)
    if code is grpc.StatusCode.UNAVAILABLE:
        return UnavailableError(f"{what}: gateway {endpoint}: {text}")
    return error_from_status(code.name, f"{what}: {text}")
