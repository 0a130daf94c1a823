"""The chassis of every service: gRPC (reflection, health, keys), HTTP (health, metrics), graceful stop."""

from virtufin_examples.service._chassis import MAX_MESSAGE_BYTES, Addresses, Chassis, GrpcService, Readiness
from virtufin_examples.service._logs import configure_logging
from virtufin_examples.service._run import run_until_stopped

__all__ = [
    "MAX_MESSAGE_BYTES",
    "Addresses",
    "Chassis",
    "GrpcService",
    "Readiness",
    "configure_logging",
    "run_until_stopped",
]
